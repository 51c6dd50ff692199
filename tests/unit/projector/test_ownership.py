"""Which shards a process projects, with Kafka and without."""

from projector.ownership import Ownership

ALL = {"users.0", "users.1"}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_consumer_group_assigns_shards() -> None:
    ownership = Ownership(ALL, 20, Clock())
    generation = ownership.assign(["users.1", "other.0"])
    assert ownership.monitored() == ownership.assigned == {"users.1"}
    assert ownership.revoke() == {"users.1"}
    assert ownership.generation > generation
    assert not ownership.has_assignment


def test_without_an_assignment_all_shards_are_monitored_after_the_timeout() -> None:
    clock = Clock()
    ownership = Ownership(ALL, 20, clock)
    assert ownership.monitored() == set()
    clock.now = 21
    assert ownership.monitored() == ALL
    ownership.assign([])
    assert ownership.monitored() == set()
