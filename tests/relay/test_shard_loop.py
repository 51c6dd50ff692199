"""What makes the loop check at once, and what keeps it from sending, no regular check being due."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry

from command_service.relay.cursor import Claim
from command_service.relay.lease import Lease
from command_service.relay.metrics import RelayMetrics
from command_service.relay.publisher import Sent
from command_service.relay.shard_loop import RelayContext, ShardLoop
from shared.contracts.records import Record
from tests.relay.fakes import FakeCursors, FakeLog, FakePartition
from tests.support.waiting import until


class Kafka:
    """Publishes to the partition; `fail` makes the next batch raise, after it arrived or not."""

    def __init__(self, partition: FakePartition) -> None:
        self.partition = partition
        self.fail: str | None = None
        self.batches: list[list[int]] = []

    async def send(self, shard: str, records: Sequence[Record]) -> Sent:
        self.batches.append([record.position for record in records])
        return Sent(len(records), self._base(self.batches[-1]))

    async def _base(self, positions: list[int]) -> int:
        fail, self.fail = self.fail, None
        base = self.partition.end
        if fail != "refused":
            self.partition.extend(*positions)
        if fail:
            raise KafkaError(fail)
        return base


class Shard:
    def __init__(self) -> None:
        self.partition, self.cursors, self.log = FakePartition(), FakeCursors(), FakeLog()
        self.kafka = Kafka(self.partition)
        self.now = 0.0
        around = RelayContext(
            log=self.log,
            cursors=self.cursors,
            publisher=self.kafka,
            partition=lambda _shard: self.partition,
            usable=lambda _topic: True,
            topic_missing=lambda: None,
            metrics=RelayMetrics(CollectorRegistry()),
            reconcile_interval_seconds=3600,
        )
        lease = Lease(Claim("orders.0", UUID(int=1), 1), 1.0, lambda: self.now)
        self.loop = ShardLoop(lease, around)

    @property
    def positions(self) -> list[int]:
        return [seen.position for seen in self.partition.records]

    async def commit(self, count: int) -> None:
        self.log.commit(count)
        self.loop.wake()

    async def holds(self, *positions: int) -> None:
        async def there() -> bool:
            return self.positions == list(positions)

        await until(there, f"{positions}", seconds=3)


@pytest.fixture
async def shard() -> AsyncIterator[Shard]:
    shard = Shard()
    task = asyncio.create_task(shard.loop.run())
    yield shard
    shard.loop.stop()
    await task


async def test_shards_that_were_checked_together_are_not_all_due_together() -> None:
    shards = [Shard() for _ in range(10)]
    tasks = [asyncio.create_task(shard.loop.run()) for shard in shards]

    async def checked() -> bool:
        return all(shard.loop.checked for shard in shards)

    await until(checked, "all are checked", seconds=3)
    due = [shard.loop.check_due - time.monotonic() for shard in shards]
    assert all(1800 < seconds <= 3600 for seconds in due)
    assert max(due) - min(due) > 60
    for shard in shards:
        shard.loop.stop()
    await asyncio.gather(*tasks)


async def test_sends_what_is_committed_and_only_that(shard: Shard) -> None:
    await shard.commit(2)
    await shard.holds(1, 2)
    await shard.commit(1)
    await shard.holds(1, 2, 3)
    assert shard.kafka.batches == [[1, 2], [3]]


async def test_acknowledgements_never_move_the_cursor(shard: Shard) -> None:
    await shard.commit(2)
    await shard.holds(1, 2)
    assert shard.cursors.cursor.position == 0


async def test_a_batch_at_a_lower_offset_than_expected_leads_to_a_check(shard: Shard) -> None:
    """[1], made again, [2,3] acknowledged at 0: by its last offset it looks like growth."""
    await shard.commit(1)
    await shard.holds(1)
    shard.partition.made_again()
    await shard.commit(2)
    await shard.holds(2, 3, 1, 2, 3)


async def test_a_batch_at_a_higher_offset_than_expected_leads_to_a_check(shard: Shard) -> None:
    """[1], made again, two late records, [2] acknowledged at 2 where 1 was expected."""
    await shard.commit(1)
    await shard.holds(1)
    shard.partition.made_again()
    shard.partition.extend(0, 0)
    await shard.commit(1)
    await shard.holds(0, 0, 2, 1, 2)


@pytest.mark.parametrize(("fail", "read_back"), [("refused", 1), ("arrived", 3)])
async def test_after_an_error_it_goes_on_from_what_is_really_there(
    shard: Shard, fail: str, read_back: int
) -> None:
    await shard.commit(1)
    await shard.holds(1)
    shard.kafka.fail = fail
    await shard.commit(2)

    async def checked() -> bool:
        return shard.cursors.cursor.position == read_back

    await until(checked, "the check after the error", seconds=3)
    await shard.commit(1)
    await shard.holds(1, 2, 3, 4)


async def test_after_an_error_it_begins_again_where_the_topic_was_made_again(
    shard: Shard,
) -> None:
    await shard.commit(2)
    await shard.holds(1, 2)
    shard.partition.made_again()
    shard.kafka.fail = "refused"
    await shard.commit(1)
    await shard.holds(1, 2, 3)


async def test_nothing_is_sent_after_the_lease_lapsed_not_even_what_was_read(
    shard: Shard,
) -> None:
    await shard.commit(1)
    await shard.holds(1)
    reading = shard.log.read

    async def lapse(shard_name: str, first: int, limit: int) -> Sequence[Record]:
        shard.now = 2.0
        return await reading(shard_name, first, limit)

    shard.log.read = lapse  # type: ignore[method-assign, assignment]
    await shard.commit(1)

    async def lapsed() -> bool:
        return shard.now == 2.0

    await until(lapsed, "the lease has lapsed")
    for _ in range(20):
        await asyncio.sleep(0)
    assert shard.kafka.batches == [[1]]
    shard.log.read = reading  # type: ignore[method-assign]
    shard.now = 0.0
    await shard.holds(1, 2)


async def test_a_log_that_lacks_what_was_sent_is_checked_and_halted_before_anything_is_sent(
    shard: Shard,
) -> None:
    await shard.commit(3)
    await shard.holds(1, 2, 3)
    shard.log.restore(2)
    shard.log.commit(4, "b")
    shard.loop.wake()

    async def halted() -> bool:
        return shard.cursors.halted is not None

    await until(halted, "the shard is halted", seconds=3)
    assert shard.positions == [1, 2, 3]


async def test_a_relay_that_was_taken_over_ends_at_its_next_check(shard: Shard) -> None:
    await shard.commit(1)
    await shard.holds(1)
    shard.cursors.epoch = 2
    shard.kafka.fail = "refused"
    await shard.commit(1)
    await until(lambda: _batches(shard, 2), "the failed batch")
    await shard.commit(1)
    for _ in range(50):
        await asyncio.sleep(0.005)
    assert shard.positions == [1]


async def _batches(shard: Shard, count: int) -> bool:
    return len(shard.kafka.batches) == count
