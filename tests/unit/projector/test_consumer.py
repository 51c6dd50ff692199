"""A Redis node that does not reply delays the delivery, and the polls, of its own shards only."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from prometheus_client import CollectorRegistry

from projector.consumer import Consumer
from projector.lag_monitor import LagMonitor
from projector.metrics import Metrics
from projector.ownership import Ownership
from projector.shard import Shard
from projector.store import WriteBatch
from projector.views.registry import SHAPES
from shared.contracts.records import Record, to_headers
from shared.contracts.shards import split_shard
from shared.contracts.views import Head, decode_checkpoint
from tests.projector.memory_log import MemoryLog
from tests.projector.memory_store import MemoryStore
from tests.projector.random_log import RandomLog
from tests.support.waiting import until

HUNG, HEALTHY = "orders.1", "orders.2"


class HangingStore(MemoryStore):
    """A call for the shard HUNG waits until `replies` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.replies = asyncio.Event()
        self.replies.set()

    async def load(
        self, shard: str, keys: Sequence[str]
    ) -> tuple[bytes | None, list[bytes | None]]:
        await self._await_reply(shard)
        return await super().load(shard, keys)

    async def write(self, shard: str, expected: bytes, writes: WriteBatch) -> bool:
        await self._await_reply(shard)
        return await super().write(shard, expected, writes)

    async def write_head(self, shard: str, head: Head | None, owner: bytes) -> None:
        await self._await_reply(shard)
        await super().write_head(shard, head, owner)

    async def _await_reply(self, shard: str) -> None:
        if shard == HUNG:
            await self.replies.wait()


class FakeKafka:
    """Records which partitions are paused, and the offset of each."""

    def __init__(self) -> None:
        self.offsets: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.paused -= set(partitions)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.offsets[partition] = offset

    def highwater(self, partition: TopicPartition) -> int:
        return 0


class Setup:
    """A consumer of two shards, on two nodes."""

    def __init__(self) -> None:
        self.store, self.kafka = HangingStore(), FakeKafka()
        self.logs = {name: RandomLog(name, 3).take(100) for name in (HUNG, HEALTHY)}
        metrics = Metrics(CollectorRegistry())
        self.ownership = Ownership(self.logs, 10, lambda: 0.0)
        self.consumer = Consumer(self.ownership, self.store, metrics)
        self.shards = {
            name: Shard(
                name,
                SHAPES["orders"],
                self.store,
                MemoryLog(records),
                metrics,
                self.consumer.rewind,
                asyncio.Semaphore(1),
            )
            for name, records in self.logs.items()
        }
        self.consumer.use_shards(self.shards)
        self.consumer.use_kafka(self.kafka)
        for name in self.logs:
            self.store.stored[name] = b"0 -1 - 0"

    async def assign(self) -> None:
        partitions = {TopicPartition(*split_shard(name)) for name in self.logs}
        await self.consumer.on_partitions_assigned(partitions)
        await asyncio.sleep(0.01)

    async def deliver(self, first: int, last: int, *names: str) -> None:
        await self.consumer.deliver(
            [kafka_record(r) for name in names for r in self.logs[name][first - 1 : last]]
        )

    def position(self, name: str) -> int:
        checkpoint = decode_checkpoint(self.store.stored[name])
        assert checkpoint is not None
        return checkpoint.position

    def is_paused(self, name: str) -> bool:
        return TopicPartition(*split_shard(name)) in self.kafka.paused

    @contextmanager
    def node_hangs(self) -> Iterator[None]:
        self.store.replies.clear()
        try:
            yield
        finally:
            self.store.replies.set()


def kafka_record(record: Record) -> ConsumerRecord[bytes, bytes]:
    topic, partition = split_shard(record.shard)
    headers: Any = to_headers(record)
    return ConsumerRecord(
        topic, partition, record.position - 1, 0, 0, b"", record.data, 0, 0, 0, tuple(headers)
    )


async def test_records_of_other_shards_are_applied_while_one_node_hangs() -> None:
    setup = Setup()
    await setup.assign()
    with setup.node_hangs():
        async with asyncio.timeout(3):
            await setup.deliver(1, 10, HUNG, HEALTHY)
            assert setup.position(HEALTHY) == 10
            assert setup.is_paused(HUNG)
            assert not setup.is_paused(HEALTHY)
            await setup.deliver(11, 20, HEALTHY)
        assert (setup.position(HUNG), setup.position(HEALTHY)) == (0, 20)
    await setup.consumer.finish()
    assert setup.position(HUNG) == 10
    assert not setup.is_paused(HUNG)
    await setup.deliver(11, 20, HUNG)
    assert setup.position(HUNG) == 20


async def test_other_shards_start_at_their_checkpoints_while_one_node_hangs() -> None:
    setup = Setup()
    with setup.node_hangs():
        await setup.assign()
        assert setup.is_paused(HUNG)
        assert not setup.is_paused(HEALTHY)
    await asyncio.sleep(0.01)
    assert not setup.is_paused(HUNG)


async def test_a_delivery_of_a_former_assignment_does_not_prevent_the_next() -> None:
    setup = Setup()
    await setup.assign()
    with setup.node_hangs():
        await setup.deliver(1, 10, HUNG)
        revoking = asyncio.create_task(setup.consumer.on_partitions_revoked(set()))
        await asyncio.sleep(0)
    await revoking
    await setup.assign()
    assert not setup.is_paused(HUNG)
    await setup.deliver(1, 20, HUNG)
    assert setup.position(HUNG) == 20


async def test_the_polls_of_other_shards_continue_while_one_node_hangs() -> None:
    setup = Setup()
    await setup.assign()
    logs = {name: MemoryLog(records) for name, records in setup.logs.items()}
    monitor = LagMonitor(
        setup.shards, setup.ownership, setup.store, logs[HEALTHY], lambda _: False, lambda: 5000
    )
    with setup.node_hangs():
        async with asyncio.timeout(3):
            await monitor.poll()
            await monitor.poll()
            await asyncio.sleep(0.01)
        assert setup.store.heads[HEALTHY].position == 100
        assert HUNG not in setup.store.heads
        assert setup.position(HEALTHY) == 100
        assert monitor.redis_problem() is None
        assert monitor.missing_views() == "1 shards have no views yet"
    await asyncio.sleep(0.01)
    await monitor.poll()
    assert setup.store.heads[HUNG].position == 100
    assert monitor.missing_views() is None


async def test_a_poll_that_postgresql_delays_evaluates_the_checkpoints() -> None:
    class HangingLog(MemoryLog):
        async def heads(self, shards: Any) -> dict[str, int]:
            await asyncio.sleep(60)
            return {}

    setup = Setup()
    await setup.assign()
    monitor = LagMonitor(
        setup.shards, setup.ownership, setup.store, HangingLog([]), lambda _: False, lambda: 5000
    )
    await setup.deliver(1, 20, HEALTHY)
    setup.store.stored[HEALTHY] = b"0 -1 - 0"
    async with asyncio.timeout(3):
        await monitor.poll()

    async def caught_up() -> bool:
        checkpoint = decode_checkpoint(setup.store.stored[HEALTHY])
        return checkpoint is not None and checkpoint.position == 100

    await until(caught_up, "the shard catches up", seconds=20)
