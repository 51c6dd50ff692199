"""Which shards a process looks after, with Kafka and without."""

from projector.ownership import Ownership

ALL = {"users.0", "users.1"}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_group_decides() -> None:
    ownership = Ownership(ALL, 20, Clock())
    generation = ownership.assign(["users.1", "somebody.0"])
    assert ownership.watched() == ownership.assigned == {"users.1"}
    assert ownership.revoke() == {"users.1"}
    assert ownership.generation > generation
    assert not ownership.known


def test_without_a_group_everything_is_looked_after_in_time() -> None:
    clock = Clock()
    ownership = Ownership(ALL, 20, clock)
    assert ownership.watched() == set()
    clock.now = 21
    assert ownership.watched() == ALL
    ownership.assign([])
    assert ownership.watched() == set()
