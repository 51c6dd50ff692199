"""The processes from the event log to the views: relays and projectors.

Their code is the real one: the relay's ShardLoop, the projector's Consumer, LagMonitor and Shard.
"""

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from prometheus_client import CollectorRegistry

from command_service.relay.errors import NotOwner
from command_service.relay.lease import Lease
from command_service.relay.metrics import RelayMetrics
from command_service.relay.publisher import BatchInFlight
from command_service.relay.reconcile import KafkaRecordRef
from command_service.relay.shard_loop import RelayContext, ShardLoop
from projector.consumer import Consumer
from projector.lag_monitor import LagMonitor
from projector.metrics import Metrics as ProjectorMetrics
from projector.ownership import Ownership
from projector.shard import Shard
from projector.views.registry import SHAPES
from shared.contracts.records import Header, Record, to_headers
from shared.contracts.shards import split_shard
from tests.simulation.servers import LEASE_SECONDS, RemotePartition, Servers

_RELAY_METRICS: Final = RelayMetrics(CollectorRegistry())
_PROJECTOR_METRICS: Final = ProjectorMetrics(CollectorRegistry())


class Relay:
    """Acquires the shard's lease, publishes while it holds it, and starts over."""

    def __init__(self, servers: Servers, number: int) -> None:
        self._servers = servers
        self._id = UUID(int=number)
        self._cursors = servers.remote("cursors")
        self._kafka = servers.remote("partition")
        self.shard_loop: ShardLoop | None = None

    async def run(self) -> None:
        clock = self._servers.loop.time
        while True:
            valid_until = clock() + 0.9 * LEASE_SECONDS
            try:
                token = await self._cursors.acquire(self._servers.shard, self._id)
            except ConnectionError:
                token = None
            if token is None:
                await asyncio.sleep(1)
            else:
                await self._publish(Lease(token, valid_until, clock))

    async def _publish(self, lease: Lease) -> None:
        clock = self._servers.loop.time
        self.shard_loop = ShardLoop(lease, self._context())
        publishing = asyncio.create_task(self.shard_loop.run())
        while not publishing.done():
            self.shard_loop.wake()
            await asyncio.wait([publishing], timeout=LEASE_SECONDS / 3)
            valid_until = clock() + 0.9 * LEASE_SECONDS
            try:
                await self._cursors.renew(lease.token)
                lease.extend(valid_until)
            except ConnectionError:
                continue
            except NotOwner:
                self.shard_loop.stop()
        await publishing

    def _context(self) -> RelayContext:
        servers = self._servers
        return RelayContext(
            log=servers.remote("log"),
            cursors=self._cursors,
            publisher=self,
            partition=lambda _shard: RemotePartition(self._kafka),
            topic_is_usable=lambda _topic: True,
            request_topic_poll=lambda: None,
            metrics=_RELAY_METRICS,
            reconcile_interval_seconds=2,
            clock=servers.loop.time,
        )

    async def send(self, _shard: str, records: Sequence[Record]) -> BatchInFlight:
        """Publisher: a batch of 1 to 3 records."""
        servers, batch = self._servers, records[: self._servers.draw_batch_size()]
        servers.sent.append(batch)
        effect = lambda: servers.partition.put(batch)  # noqa: E731
        base: asyncio.Future[int] = servers.network.send(
            "produce", effect, KafkaError("simulated"), 2 * servers.p_fault
        )
        return BatchInFlight(len(batch), base)


class Delivery(NamedTuple):
    """As aiokafka's ConsumerRecord."""

    topic: str
    partition: int
    offset: int
    value: bytes
    headers: list[Header]


class KafkaClient:
    """As AIOKafkaConsumer, for one partition; an offset out of range is reset to the first one."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._kafka = servers.remote("partition")
        self._topic, self._number = split_shard(servers.shard)
        self._offset: int | None = None
        self._end: int | None = None
        self._paused = False
        self._seeks = 0

    def assign(self) -> TopicPartition:
        self._offset, self._end, self._paused = 0, None, False
        return TopicPartition(self._topic, self._number)

    def unassign(self) -> None:
        self._offset = None
        self._seeks += 1

    def pause(self, *_partitions: TopicPartition) -> None:
        self._paused = True

    def resume(self, *_partitions: TopicPartition) -> None:
        self._paused = False

    def seek(self, _partition: TopicPartition, offset: int) -> None:
        self._offset = offset
        self._seeks += 1

    def highwater(self, _partition: TopicPartition) -> int | None:
        return self._end

    async def commit(self, _offsets: object) -> None:
        return

    async def poll(self) -> list[Delivery]:
        """Records fetched before a seek are dropped."""
        if self._offset is None or self._paused:
            return []
        seeks = self._seeks
        try:
            refs, end = await self._kafka.fetch(self._offset)
        except OffsetOutOfRangeError:
            if seeks == self._seeks:
                self._offset = 0
            return []
        except ConnectionError:
            return []
        if seeks != self._seeks or self._paused:
            return []
        self._end = end
        if refs:
            self._offset = refs[-1].offset + 1
        return [self._delivery(ref) for ref in refs]

    def step_back(self, count: int) -> None:
        """Deliver records a second time."""
        if self._offset is not None:
            self._offset = max(self._offset - count, 0)

    def _delivery(self, ref: KafkaRecordRef) -> Delivery:
        headers, value = (
            _in_kafka(self._servers.published[ref.event_id]) if ref.position else ([], b"")
        )
        return Delivery(self._topic, self._number, ref.offset, value, headers)


@cache
def _in_kafka(event: Record) -> tuple[list[Header], bytes]:
    return to_headers(event), event.data


class Projector:
    """One process of the projector. The group's coordinator sets `is_assigned`."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self.is_assigned = False
        self.kafka = KafkaClient(servers)
        store: Any = servers.remote("store")
        log: Any = servers.remote("log")
        ownership = Ownership([servers.shard], 6, servers.loop.time)
        self._consumer = Consumer(ownership, store, _PROJECTOR_METRICS)
        views = SHAPES[split_shard(servers.shard)[0]]
        self.shard = Shard(
            servers.shard, views, store, log, _PROJECTOR_METRICS, self._consumer.rewind,
            asyncio.Semaphore(3),
        )  # fmt: skip
        shards = {servers.shard: self.shard}
        self._consumer.use_shards(shards)
        self._consumer.use_kafka(self.kafka)
        pending, now_ms = self._consumer.records_pending, servers.loop.now_ms
        self._monitor = LagMonitor(shards, ownership, store, log, pending, now_ms)

    async def run(self) -> None:
        polling = asyncio.create_task(self._poll_lag())
        had_partition = False
        while True:
            if self.is_assigned != had_partition:
                had_partition = self.is_assigned
                await self._rebalance()
            if records := await self.kafka.poll():
                await self._consumer.deliver(records)
            else:
                await asyncio.sleep(0.4)
            assert not polling.done()

    async def _rebalance(self) -> None:
        partition = self.kafka.assign()
        if self.is_assigned:
            await self._consumer.on_partitions_assigned({partition})
        else:
            await self._consumer.on_partitions_revoked({partition})
            self.kafka.unassign()

    async def _poll_lag(self) -> None:
        while True:
            await self._monitor.poll()
            await asyncio.sleep(1)
