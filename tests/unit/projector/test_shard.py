"""A shard with a store that fails, changes and loses data, and an unreliable event log."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from projector.metrics import Metrics
from projector.shard import Arrival, Observation, Shard
from projector.views.registry import SHAPES
from shared.contracts.views import Checkpoint
from tests.projector.memory_log import MemoryLog
from tests.projector.memory_store import MemoryStore
from tests.projector.random_log import RandomLog
from tests.support.expected_views import differences, expected_content, of_generation

SHARD = "products.2"


class Setup:
    """A shard and its surroundings."""

    def __init__(self, count: int = 100) -> None:
        self.records = RandomLog(SHARD, 4).take(count)
        self.store = MemoryStore()
        self.log = MemoryLog(list(self.records))
        self.rewound: list[int] = []
        self.shard = self.new_shard()

    def new_shard(self) -> Shard:
        metrics = Metrics(CollectorRegistry())
        return Shard(
            SHARD,
            SHAPES["products"],
            self.store,
            self.log,
            metrics,
            lambda _, offset: self.rewound.append(offset),
            asyncio.Semaphore(1),
        )

    def restore_older_state(self, upto: int) -> None:
        """The same commands were executed again after that position; Kafka has the same events."""
        others = [r._replace(event_id=f"other-{r.position}") for r in self.records[upto:]]
        self.records = [*self.records[:upto], *others]
        self.log.records = list(self.records)

    def arrivals(self, first: int, last: int) -> list[Arrival]:
        return [Arrival(r.position + 1000, r) for r in self.records[first - 1 : last]]

    async def settle(self) -> None:
        for _ in range(2000):
            await asyncio.sleep(0)

    def start_views(self) -> None:
        """Stores the checkpoint that a projector writes for an empty event log."""
        self.store.stored[SHARD] = b"0 -1 - 0"

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint.decode(self.store.stored[SHARD])

    def check(self, upto: int) -> None:
        assert self.checkpoint.position == upto
        expected = expected_content(SHARD, self.records[:upto])
        found = of_generation(SHARD, self.checkpoint.generation, self.store.content(SHARD))
        assert differences(expected, found) == []


async def test_records_that_follow_are_applied_and_the_offset_stored() -> None:
    setup = Setup()
    setup.start_views()
    await setup.shard.receive(setup.arrivals(1, 60))
    await setup.shard.receive(setup.arrivals(40, 100))
    setup.check(100)
    assert setup.checkpoint.offset == 1100


async def test_a_gap_is_caught_up_from_the_event_log() -> None:
    setup = Setup()
    setup.start_views()
    await setup.shard.receive(setup.arrivals(1, 20))
    await setup.shard.receive(setup.arrivals(50, 60))
    await setup.settle()
    setup.check(100)
    assert setup.checkpoint.offset == 1020


async def test_two_projectors_of_one_shard_apply_each_event_once() -> None:
    setup = Setup()
    setup.start_views()
    other = setup.new_shard()
    await asyncio.gather(
        *(shard.receive(setup.arrivals(1, 100)) for shard in (setup.shard, other)),
    )
    setup.check(100)


async def test_a_failing_store_raises_and_loses_nothing() -> None:
    setup = Setup()
    setup.start_views()
    for failures in (1, 2, 1):
        setup.store.failing = failures
        with pytest.raises(ConnectionError):
            await setup.shard.receive(setup.arrivals(1, 100))
        setup.store.failing = 0
    await setup.shard.receive(setup.arrivals(1, 100))
    setup.check(100)


async def test_views_without_a_checkpoint_are_rebuilt_from_the_event_log_with_a_target() -> None:
    setup = Setup()
    setup.store.content(SHARD).values["{products.2}:document:stale"] = b"x"
    setup.log.unavailable = True
    await setup.shard.receive(setup.arrivals(100, 100))
    await setup.settle()
    assert SHARD not in setup.store.stored
    setup.log.unavailable = False
    setup.shard.start_catch_up("checkpoint")
    await setup.settle()
    setup.check(100)
    assert setup.checkpoint.target == 0


async def test_a_checkpoint_that_reverted_gets_a_target_before_the_catch_up() -> None:
    setup = Setup()
    setup.start_views()
    await setup.shard.receive(setup.arrivals(1, 40))
    older = setup.store.stored[SHARD], setup.store.contents[SHARD]
    setup.store.contents[SHARD] = expected_content(SHARD, setup.records[:40])
    await setup.shard.receive(setup.arrivals(41, 90))
    setup.store.stored[SHARD], setup.store.contents[SHARD] = older
    setup.store.contents[SHARD] = expected_content(SHARD, setup.records[:40])
    setup.log.unavailable = True
    setup.shard.poll(Observation(older[0], 90, records_pending=False), None, 0)
    await setup.settle()
    assert (setup.checkpoint.position, setup.checkpoint.target) == (40, 90)
    assert setup.rewound == [1040]
    await setup.shard.receive(setup.arrivals(40, 60))
    setup.check(60)
    assert setup.checkpoint.target == 90
    await setup.shard.receive(setup.arrivals(61, 100))
    setup.check(100)
    assert setup.checkpoint.target == 0


async def test_without_the_event_log_a_gap_is_consumed_again_from_kafka() -> None:
    setup = Setup()
    setup.start_views()
    await setup.shard.receive(setup.arrivals(1, 20))
    setup.log.unavailable = True
    await setup.shard.receive(setup.arrivals(30, 40))
    await setup.settle()
    assert setup.rewound == [1020]
    await setup.shard.receive(setup.arrivals(20, 40))
    setup.check(40)


async def test_an_event_log_without_its_tail_is_a_log_divergence_until_it_is_restored() -> None:
    setup = Setup()
    setup.start_views()
    await setup.shard.receive(setup.arrivals(1, 50))
    setup.log.records = setup.records[:30]
    stored = setup.store.stored[SHARD]
    setup.shard.poll(Observation(stored, 50, records_pending=False), 30, 0)
    await setup.settle()
    assert setup.shard.diverged
    await setup.shard.receive(setup.arrivals(51, 60))
    setup.check(50)
    setup.log.records = setup.records
    setup.shard.poll(Observation(stored, 50, records_pending=False), 100, 0)
    await setup.settle()
    assert not setup.shard.diverged
    setup.check(100)


async def test_another_event_at_the_checkpoint_is_a_log_divergence() -> None:
    setup = Setup()
    setup.start_views()
    await setup.shard.receive(setup.arrivals(1, 50))
    setup.log.records = RandomLog(SHARD, 5).take(100)
    setup.shard.start_catch_up("behind")
    await setup.settle()
    assert setup.shard.diverged


async def test_a_shard_without_progress_catches_up_at_the_second_poll() -> None:
    setup = Setup()
    setup.start_views()
    setup.shard.poll(Observation(b"0 -1 - 0", 0, records_pending=False), 100, 0)
    await setup.settle()
    assert setup.checkpoint.position == 0
    setup.shard.poll(Observation(b"0 -1 - 0", 0, records_pending=False), 100, 1000)
    await setup.settle()
    setup.check(100)


async def test_a_shard_with_pending_records_in_kafka_waits_longer_for_the_catch_up() -> None:
    setup = Setup()
    setup.start_views()
    for second in range(5):
        setup.shard.poll(Observation(b"0 -1 - 0", 0, records_pending=True), 100, second * 1000)
        await setup.settle()
    assert setup.checkpoint.position == 0


async def test_the_head_contains_when_views_were_last_caught_up() -> None:
    setup = Setup()
    setup.start_views()
    await setup.shard.receive(setup.arrivals(1, 100))
    stored = setup.store.stored[SHARD]
    caught_up = setup.shard.poll(Observation(stored, 100, records_pending=False), 100, 5000)
    behind = setup.shard.poll(Observation(stored, 100, records_pending=False), 101, 6000)
    assert caught_up is not None
    assert behind is not None
    assert (caught_up.caught_up_at_ms, behind.position, behind.caught_up_at_ms) == (5000, 101, 5000)
    assert setup.shard.poll(Observation(stored, 100, records_pending=False), None, 7000) is None


async def test_a_released_shard_does_not_catch_up() -> None:
    setup = Setup()
    setup.start_views()
    await setup.shard.release()
    setup.shard.start_catch_up("behind")
    await setup.settle()
    assert setup.checkpoint.position == 0
    setup.shard.acquire(setup.store.stored[SHARD], None)
    setup.shard.start_catch_up("behind")
    await setup.settle()
    setup.check(100)


async def test_another_event_in_kafka_at_the_checkpoints_position_is_a_log_divergence() -> None:
    """The views were caught up without Kafka, and PostgreSQL was then restored to an older state.

    The event log has grown to the same length since.
    """
    setup = Setup()
    setup.start_views()
    setup.shard.start_catch_up("behind")
    await setup.settle()
    setup.restore_older_state(60)
    await setup.shard.receive(setup.arrivals(61, 100))
    await setup.settle()
    assert setup.shard.diverged


async def test_another_event_at_the_checkpoint_is_a_log_divergence_before_the_next_is_applied() -> (
    None
):
    setup = Setup()
    setup.start_views()
    setup.log.records = setup.records[:80]
    setup.shard.start_catch_up("behind")
    await setup.settle()
    before = setup.store.stored[SHARD]
    setup.restore_older_state(60)
    await setup.shard.receive(setup.arrivals(81, 100))
    await setup.settle()
    assert setup.shard.diverged
    assert setup.store.stored[SHARD] == before


async def test_two_events_of_one_position_in_a_batch_are_read_from_the_event_log() -> None:
    setup = Setup()
    setup.start_views()
    arrivals = setup.arrivals(1, 100)
    setup.restore_older_state(60)
    await setup.shard.receive([*arrivals, *setup.arrivals(61, 100)])
    await setup.settle()
    setup.check(100)
    assert setup.checkpoint.event_id == "other-100"


async def test_after_a_start_the_checkpoints_own_record_confirms_it_without_the_event_log() -> None:
    setup = Setup()
    setup.start_views()
    await setup.shard.receive(setup.arrivals(1, 50))
    setup.log.unavailable = True
    shard = setup.new_shard()
    first = shard.acquire(setup.store.stored[SHARD], None) - 1000
    assert first == 50
    await shard.receive(setup.arrivals(first, 100))
    setup.check(100)


async def test_without_the_checkpoints_own_record_the_event_log_confirms_it() -> None:
    setup = Setup()
    setup.start_views()
    await setup.shard.receive(setup.arrivals(1, 50))
    shard = setup.new_shard()
    shard.acquire(setup.store.stored[SHARD], None)
    await shard.receive(setup.arrivals(51, 60))
    await setup.settle()
    setup.check(100)
    assert setup.checkpoint.offset == 1050


async def test_a_foreign_record_at_the_checkpoints_position_stops_nothing() -> None:
    setup = Setup()
    setup.start_views()
    await setup.shard.receive(setup.arrivals(1, 50))
    foreign = Arrival(2000, setup.records[49]._replace(event_id="another"))
    await setup.shard.receive([foreign])
    await setup.settle()
    assert not setup.shard.diverged
    await setup.shard.receive(setup.arrivals(50, 100))
    setup.check(100)


async def test_records_dropped_during_a_catch_up_cause_no_further_one() -> None:
    setup = Setup()
    setup.start_views()
    await setup.shard.receive(setup.arrivals(1, 20))
    setup.log.records = setup.records[:60]
    setup.shard.start_catch_up("behind")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await setup.shard.receive(setup.arrivals(21, 60))
    await setup.settle()
    setup.check(60)
    setup.log.unavailable = True
    await setup.shard.receive(setup.arrivals(61, 100))
    setup.check(100)
