"""What makes a shard's loop reconcile before it is due, and what keeps it from sending."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest

from command_service.relay.lease import FencingToken, Lease
from command_service.relay.shard_loop import ShardLoop
from shared.contracts.records import Record
from tests.relay.fakes import FakeCursors, FakeLog, FakePartition, FakePublisher, relay_context
from tests.support.waiting import until


class Shard:
    def __init__(self) -> None:
        self.partition, self.cursors, self.log = FakePartition(), FakeCursors(), FakeLog()
        self.kafka = FakePublisher(self.partition)
        self.now = 0.0
        context = relay_context(
            self.log, self.cursors, self.kafka, self.partition, reconcile_interval_seconds=3600
        )
        lease = Lease(FencingToken("orders.0", UUID(int=1), 1), 1.0, lambda: self.now)
        self.loop = ShardLoop(lease, context)

    @property
    def positions(self) -> list[int]:
        return self.partition.positions

    async def commit(self, count: int) -> None:
        self.log.commit(count)
        self.loop.wake()

    async def until_published(self, *positions: int) -> None:
        async def published() -> bool:
            return self.positions == list(positions)

        await until(published, f"{positions}", seconds=3)


@pytest.fixture
async def shard() -> AsyncIterator[Shard]:
    shard = Shard()
    task = asyncio.create_task(shard.loop.run())
    yield shard
    shard.loop.stop()
    await task


async def test_shards_reconciled_together_are_due_at_different_times() -> None:
    shards = [Shard() for _ in range(10)]
    tasks = [asyncio.create_task(shard.loop.run()) for shard in shards]

    async def reconciled() -> bool:
        return all(shard.loop.reconciled for shard in shards)

    await until(reconciled, "all are reconciled", seconds=3)
    due = [shard.loop.reconcile_due - time.monotonic() for shard in shards]
    assert all(1800 < seconds <= 3600 for seconds in due)
    assert max(due) - min(due) > 60
    for shard in shards:
        shard.loop.stop()
    await asyncio.gather(*tasks)


async def test_every_event_is_sent_once(shard: Shard) -> None:
    await shard.commit(2)
    await shard.until_published(1, 2)
    await shard.commit(1)
    await shard.until_published(1, 2, 3)
    assert shard.kafka.batches == [[1, 2], [3]]


async def test_an_acknowledgement_does_not_move_the_cursor(shard: Shard) -> None:
    await shard.commit(2)
    await shard.until_published(1, 2)
    assert shard.cursors.cursor.position == 0


async def test_a_base_offset_below_the_expected_one_causes_a_reconciliation(shard: Shard) -> None:
    """[1], recreated, [2,3] acknowledged at 0: its last offset alone would seem correct."""
    await shard.commit(1)
    await shard.until_published(1)
    shard.partition.recreate()
    await shard.commit(2)
    await shard.until_published(2, 3, 1, 2, 3)


async def test_a_base_offset_above_the_expected_one_causes_a_reconciliation(shard: Shard) -> None:
    """[1], recreated, two late records, [2] acknowledged at 2 instead of 1."""
    await shard.commit(1)
    await shard.until_published(1)
    shard.partition.recreate()
    shard.partition.extend(0, 0)
    await shard.commit(1)
    await shard.until_published(0, 0, 2, 1, 2)


@pytest.mark.parametrize(("failure", "read_back"), [("rejected", 1), ("arrived", 3)])
async def test_after_an_error_publishing_continues_from_the_records_read_back(
    shard: Shard, failure: str, read_back: int
) -> None:
    await shard.commit(1)
    await shard.until_published(1)
    shard.kafka.failure = failure
    await shard.commit(2)

    async def reconciled() -> bool:
        return shard.cursors.cursor.position == read_back

    await until(reconciled, "the reconciliation after the error", seconds=3)
    await shard.commit(1)
    await shard.until_published(1, 2, 3, 4)


async def test_after_an_error_a_recreated_topic_is_filled_from_the_start(
    shard: Shard,
) -> None:
    await shard.commit(2)
    await shard.until_published(1, 2)
    shard.partition.recreate()
    shard.kafka.failure = "rejected"
    await shard.commit(1)
    await shard.until_published(1, 2, 3)


async def test_rows_read_before_the_lease_expired_are_not_sent_after_it(
    shard: Shard,
) -> None:
    await shard.commit(1)
    await shard.until_published(1)
    original = shard.log.read

    async def read_while_expiring(shard_name: str, first: int, limit: int) -> Sequence[Record]:
        shard.now = 2.0
        return await original(shard_name, first, limit)

    shard.log.read = read_while_expiring  # type: ignore[method-assign, assignment]
    await shard.commit(1)

    async def expired() -> bool:
        return shard.now == 2.0

    await until(expired, "the lease has expired")
    for _ in range(20):
        await asyncio.sleep(0)
    assert shard.kafka.batches == [[1]]
    shard.log.read = original  # type: ignore[method-assign]
    shard.now = 0.0
    await shard.until_published(1, 2)


async def test_a_shard_whose_last_sent_event_is_missing_is_halted_before_the_next_send(
    shard: Shard,
) -> None:
    await shard.commit(3)
    await shard.until_published(1, 2, 3)
    shard.log.restore(2)
    shard.log.commit(4, "b")
    shard.loop.wake()

    async def halted() -> bool:
        return shard.cursors.halted is not None

    await until(halted, "the shard is halted", seconds=3)
    assert shard.positions == [1, 2, 3]


async def test_a_former_owner_ends_at_its_next_reconciliation(shard: Shard) -> None:
    await shard.commit(1)
    await shard.until_published(1)
    shard.cursors.epoch = 2
    shard.kafka.failure = "rejected"
    await shard.commit(1)
    await until(lambda: _batches(shard, 2), "the failed batch")
    await shard.commit(1)
    for _ in range(50):
        await asyncio.sleep(0.005)
    assert shard.positions == [1]


async def _batches(shard: Shard, count: int) -> bool:
    return len(shard.kafka.batches) == count
