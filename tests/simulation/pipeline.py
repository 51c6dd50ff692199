"""From the event log to the views: two relays and two projectors on simulated servers.

The code of the processes is the real one: the relay's ShardLoop, the projector's Consumer,
LagMonitor and Shard. One shard, because shards are independent.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from random import Random
from typing import Any, Final, NamedTuple
from uuid import UUID

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from prometheus_client import CollectorRegistry

from command_service.relay.cursor import Cursor
from command_service.relay.errors import EmptyFetch, NotOwner
from command_service.relay.lease import FencingToken, Lease
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
from shared.contracts.views import decode_checkpoint
from tests.projector.memory_store import MemoryStore
from tests.projector.random_log import RandomLog
from tests.relay.fakes import FakeCursors, FakePartition
from tests.simulation.faults import Faults, Network, Remote
from tests.simulation.loop import Process, SimulatedLoop
from tests.support.expected_views import Content, differences, expected_content, of_generation

SHARDS: Final = ("users.4", "products.4", "orders.4")
MAX_EVENTS: Final = 30
HISTORIES: Final = 8
STEPS: Final = 12
LEASE_SECONDS: Final = 3.0
SETTLE_SECONDS: Final = 120
_RELAY_METRICS: Final = RelayMetrics(CollectorRegistry())
_PROJECTOR_METRICS: Final = ProjectorMetrics(CollectorRegistry())


class History(NamedTuple):
    """A reproducible event log. After `restored_at`, its events are other ones."""

    shard: str
    number: int
    restored_at: int | None = None


@cache
def events_of(history: History) -> list[Record]:
    log = RandomLog(history.shard, history.number)
    if history.restored_at is None:
        return log.take(MAX_EVENTS)
    before = log.take(history.restored_at)
    log.reseed(HISTORIES * (history.restored_at + 1) + history.number)
    return before + log.take(MAX_EVENTS - history.restored_at)


@cache
def views_of(history: History, count: int) -> Content:
    return expected_content(history.shard, events_of(history)[:count])


class EventLogServer:
    """The event log of one shard in PostgreSQL."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.records: list[Record] = []

    def commit(self, count: int) -> None:
        first = len(self.records)
        self.records += events_of(self.history)[first : first + count]

    def restore(self, length: int) -> None:
        del self.records[length:]
        self.history = self.history._replace(restored_at=length)

    async def read(self, _shard: str, first: int, limit: int) -> Sequence[Record]:
        return self.records[first - 1 : first - 1 + limit]

    async def heads(self, shards: Sequence[str]) -> dict[str, int]:
        return dict.fromkeys(shards, len(self.records))

    async def event_ids(self, _shard: str, positions: Sequence[int]) -> dict[int, str]:
        return {p: self.records[p - 1].event_id for p in positions if 0 < p <= len(self.records)}


class LeasedCursors(FakeCursors):
    """The row of one shard, with its lease."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self.owner: UUID | None = None
        self._leased_until = 0.0

    def _verify(self, token: FencingToken) -> None:
        super()._verify(token)
        if token.owner != self.owner:
            raise NotOwner(token.shard)

    async def acquire(self, shard: str, owner: UUID) -> FencingToken | None:
        if self.halted or (self.owner is not None and self._leased_until >= self._clock()):
            return None
        self.owner, self.epoch = owner, self.epoch + 1
        self._leased_until = self._clock() + LEASE_SECONDS
        return FencingToken(shard, owner, self.epoch)

    async def renew(self, token: FencingToken) -> None:
        self._verify(token)
        self._leased_until = self._clock() + LEASE_SECONDS

    def backup(self) -> tuple[Cursor, int]:
        return self.cursor, self.epoch

    def restore(self, backup: tuple[Cursor, int]) -> None:
        self.cursor, self.epoch = backup
        self.owner, self.halted = None, None


class Partition(FakePartition):
    """A partition that events are written to."""

    def put(self, events: Sequence[Record]) -> int:
        base = self.end
        for event in events:
            self.clock += 1
            ref = KafkaRecordRef(self.end, self.clock, event.position, event.event_id)
            self.records.append(ref)
        return base

    async def first_offset(self) -> int:
        return self.start

    async def end_offset(self) -> int:
        return self.end

    async def fetch(self, offset: int) -> tuple[list[KafkaRecordRef], int]:
        """What a consumer receives, and the offset after the last record."""
        try:
            records, _ = await self.read(offset, self.end)
            return list(records), self.end
        except EmptyFetch:
            return [], self.end


class RemotePartition:
    """As the relay's PartitionReader: the two offsets are two requests."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self.read = remote.read

    async def bounds(self) -> tuple[int, int]:
        return await self._remote.first_offset(), await self._remote.end_offset()


class Relay:
    """Acquires the shard's lease, publishes while it holds it, and starts over."""

    def __init__(self, world: "Pipeline", number: int) -> None:
        self._world = world
        self._id = UUID(int=number)
        self._cursors = Remote("cursors", world.cursors, world.network, world.p_fault)
        self._kafka = Remote("partition", world.partition, world.network, world.p_fault)
        self.shard_loop: ShardLoop | None = None

    async def run(self) -> None:
        clock = self._world.loop.time
        while True:
            valid_until = clock() + 0.9 * LEASE_SECONDS
            try:
                token = await self._cursors.acquire(self._world.shard, self._id)
            except ConnectionError:
                token = None
            if token is None:
                await asyncio.sleep(1)
            else:
                await self._publish(Lease(token, valid_until, clock))

    async def _publish(self, lease: Lease) -> None:
        clock = self._world.loop.time
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
        world = self._world
        return RelayContext(
            log=Remote("event log", world.log, world.network, world.p_fault),
            cursors=self._cursors,
            publisher=self,
            partition=lambda _shard: RemotePartition(self._kafka),
            topic_is_usable=lambda _topic: True,
            request_topic_poll=lambda: None,
            metrics=_RELAY_METRICS,
            reconcile_interval_seconds=2,
            clock=world.loop.time,
        )

    async def send(self, _shard: str, records: Sequence[Record]) -> BatchInFlight:
        """Publisher: a batch of 1 to 3 records."""
        world, batch = self._world, records[: self._world.draw_batch_size()]
        world.sent.append(batch)
        effect = lambda: world.partition.put(batch)  # noqa: E731
        base: asyncio.Future[int] = world.network.send(
            "produce", effect, KafkaError("simulated"), 2 * world.p_fault
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

    def __init__(self, world: "Pipeline") -> None:
        self._world = world
        self._kafka = Remote("partition", world.partition, world.network, world.p_fault)
        self._topic, self._number = split_shard(world.shard)
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
            _in_kafka(self._world.published[ref.event_id]) if ref.position else ([], b"")
        )
        return Delivery(self._topic, self._number, ref.offset, value, headers)


@cache
def _in_kafka(event: Record) -> tuple[list[Header], bytes]:
    return to_headers(event), event.data


class Projector:
    """One process of the projector. The group's coordinator sets `is_assigned`."""

    def __init__(self, world: "Pipeline") -> None:
        self._world = world
        self.is_assigned = False
        self.kafka = KafkaClient(world)
        store: Any = Remote("store", world.store, world.network, world.p_fault)
        log: Any = Remote("event log", world.log, world.network, world.p_fault)
        ownership = Ownership([world.shard], 6, world.loop.time)
        self._consumer = Consumer(ownership, store, _PROJECTOR_METRICS)
        views = SHAPES[split_shard(world.shard)[0]]
        self.shard = Shard(
            world.shard, views, store, log, _PROJECTOR_METRICS, self._consumer.rewind,
            asyncio.Semaphore(3),
        )  # fmt: skip
        shards = {world.shard: self.shard}
        self._consumer.use_shards(shards)
        self._consumer.use_kafka(self.kafka)
        pending, now_ms = self._consumer.records_pending, world.loop.now_ms
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


class Profile(NamedTuple):
    """Which faults the schedules have, and how probable they are."""

    projectors: int
    p_network: tuple[float, ...]
    """For each request; one of them is drawn for each schedule."""
    p_at_step: Mapping[str, float]
    p_at_request: float
    at_request: tuple[str, ...]
    """One of them is drawn when a request arrives."""


TOPICS: Final = Profile(
    0,
    (0, 0.01, 0.05),
    {"commit": 0.7, "kill_relay": 0.05, "pause_relay": 0.05, "resume_all": 0.2},
    0.02,
    ("recreate_topic", "recreate_topic", "lose_tail_of_topic", "add_foreign_record", "kill_relay"),
)
VIEWS: Final = Profile(
    2,
    (0, 0.005, 0.03),
    {
        "commit": 0.7,
        "kill_relay": 0.03,
        "kill_projector": 0.05,
        "pause_projector": 0.08,
        "resume_all": 0.2,
        "rebalance": 0.08,
        "recreate_topic": 0.05,
        "redeliver": 0.1,
        "back_up_redis": 0.1,
    },
    0.01,
    ("restore_redis", "empty_redis", "lose_tail_of_topic", "kill_projector", "back_up_redis"),
)
RESTORES: Final = Profile(
    2,
    (0, 0.005),
    {
        "commit": 0.8,
        "kill_projector": 0.03,
        "pause_relay": 0.3,
        "resume_all": 0.1,
        "rebalance": 0.05,
        "back_up_postgres": 0.25,
        "restore_postgres": 0.15,
    },
    0.003,
    ("back_up_redis", "restore_redis", "kill_relay"),
)
"""Relays are often paused, so that the views are ahead of the topic."""


class Pipeline:
    """The servers, the processes, and the faults of one schedule."""

    def __init__(self, loop: SimulatedLoop, faults: Faults, seed: int, profile: Profile) -> None:
        self.loop, self.faults, self._random = loop, faults, Random(seed + 1)
        self._profile = profile
        self.network = Network(loop, faults, seed + 2, self._disturb)
        self.shard = SHARDS[seed % len(SHARDS)]
        self.p_fault = self._random.choice(profile.p_network)
        self.log = EventLogServer(History(self.shard, seed % HISTORIES))
        self.partition, self.cursors = Partition(), LeasedCursors(loop.time)
        self.store = MemoryStore()
        self.published: dict[str, Record] = {}
        self.sent: list[Sequence[Record]] = []
        self._redis_backup: tuple[dict[str, bytes], Content] = ({}, Content())
        self._postgres_backup = 0, self.cursors.backup()
        self._relays = [self._start_relay(1), self._start_relay(2)]
        self._relay_count = 2
        self._projectors = [self._start_projector() for _ in range(profile.projectors)]
        self._assign(0)

    async def run(self) -> None:
        for _ in range(STEPS):
            for action, probability in self._profile.p_at_step.items():
                if self.faults.happens(action, probability):
                    getattr(self, action)()
            await asyncio.sleep(self._random.choice((0, 0.005, 0.02, 0.1, 0.5, 1.5)))

    def _disturb(self) -> None:
        """At any moment between two requests of a process."""
        action = self._random.choice(self._profile.at_request)
        if self.faults.happens(action, self._profile.p_at_request):
            getattr(self, action)()

    def commit(self) -> None:
        self.log.commit(self._random.randint(1, 4))
        self.published |= {event.event_id: event for event in self.log.records}
        for relay, _ in self._relays:
            if relay.shard_loop is not None and self._random.random() < 0.9:
                relay.shard_loop.wake()

    def kill_relay(self) -> None:
        index = self._random.randrange(2)
        self._relays[index][1].kill()
        self._relay_count += 1
        self._relays[index] = self._start_relay(self._relay_count)

    def kill_projector(self) -> None:
        index = self._random.randrange(2)
        projector, process = self._projectors[index]
        process.kill()
        self._projectors[index] = self._start_projector()
        if projector.is_assigned:
            self._assign(self._random.randrange(2))

    def pause_relay(self) -> None:
        self._random.choice(self._relays)[1].pause()

    def pause_projector(self) -> None:
        projector, process = self._random.choice(self._projectors)
        process.pause()
        if projector.is_assigned and self._random.random() < 0.7:
            self.rebalance()

    def resume_all(self) -> None:
        for _, process in (*self._relays, *self._projectors):
            process.resume()

    def rebalance(self) -> None:
        self._assign(0 if self._projectors[1][0].is_assigned else 1)

    def recreate_topic(self) -> None:
        """Late batches of former owners, and foreign records, may be the first in the new topic.

        Not after PostgreSQL was restored: that can remove the evidence of a log divergence.
        """
        if self.log.history.restored_at is not None:
            return
        self.partition.recreate()
        while self._random.random() < 0.7:
            if self.sent and self._random.random() < 0.7:
                self.partition.put(self._random.choice(self.sent[-3:]))
            else:
                self.partition.append(0)

    def lose_tail_of_topic(self) -> None:
        if self.log.history.restored_at is None:
            self.partition.lose_tail(min(self._random.randint(1, 3), len(self.partition.records)))

    def add_foreign_record(self) -> None:
        self.partition.append(0)

    def redeliver(self) -> None:
        self._random.choice(self._projectors)[0].kafka.step_back(self._random.randint(1, 4))

    def back_up_redis(self) -> None:
        self._redis_backup = dict(self.store.stored), _copy(self.store.content(self.shard))

    def restore_redis(self) -> None:
        stored, content = self._redis_backup
        self.store.stored = dict(stored)
        self.store.contents = {self.shard: _copy(content)}

    def empty_redis(self) -> None:
        self.store.stored, self.store.contents = {}, {}

    def back_up_postgres(self) -> None:
        self._postgres_backup = len(self.log.records), self.cursors.backup()

    def restore_postgres(self) -> None:
        """Once per schedule, because the history has one point of restoration."""
        if self.log.history.restored_at is None:
            length, cursors = self._postgres_backup
            self.log.restore(length)
            self.cursors.restore(cursors)

    async def settle(self) -> str | None:
        """Without further faults, until topic and views are complete. Returns the violation."""
        self.resume_all()
        violation = self._violation()
        deadline = self.loop.time() + SETTLE_SECONDS
        while violation is not None and self.loop.time() < deadline:
            await asyncio.sleep(0.5)
            violation = self._violation()
        return violation

    def _violation(self) -> str | None:
        if self.network.late_requests:
            return "a request is late"
        if self.log.history.restored_at is not None and self._alarm():
            return None
        violation = self._alarm() or self._topic_violation()
        return violation or (self._view_violation() if self._projectors else None)

    def _alarm(self) -> str | None:
        """A log divergence that was detected; an operator decides."""
        if self.cursors.halted:
            return f"the shard is halted: {self.cursors.halted}"
        diverged = any(projector.shard.diverged for projector, _ in self._projectors)
        return "a projector is halted" if diverged else None

    def _topic_violation(self) -> str | None:
        """A consumer that reads the partition from the start receives each event once, in order."""
        expected = [event.event_id for event in self.log.records]
        consumed: list[str] = []
        for ref in self.partition.records:
            if 0 < ref.position <= len(consumed) and consumed[ref.position - 1] != ref.event_id:
                return f"the topic has two events at position {ref.position}"
            if ref.position == len(consumed) + 1:
                consumed.append(ref.event_id)
        if consumed != expected:
            return f"the topic has {self.partition.positions}, the event log {len(expected)} events"
        return None

    def _view_violation(self) -> str | None:
        """The views are the fold of the event log."""
        checkpoint = decode_checkpoint(self.store.stored.get(self.shard))
        count = len(self.log.records)
        event_id = self.log.records[-1].event_id if count else ""
        if checkpoint is None or (checkpoint.position, checkpoint.event_id) != (count, event_id):
            return f"the checkpoint is {checkpoint}, the event log ends with {count} {event_id}"
        if checkpoint.target > count:
            return f"the views are rejected until {checkpoint.target}"
        content = of_generation(self.shard, checkpoint.generation, self.store.content(self.shard))
        found = differences(views_of(self.log.history, count), content)
        return found[0] if found else None

    def draw_batch_size(self) -> int:
        return self._random.randint(1, 3)

    def _start_relay(self, number: int) -> tuple[Relay, Process]:
        relay = Relay(self, number)
        return relay, Process(self.loop, relay.run())

    def _start_projector(self) -> tuple[Projector, Process]:
        projector = Projector(self)
        return projector, Process(self.loop, projector.run())

    def _assign(self, owner: int) -> None:
        for index, (projector, _) in enumerate(self._projectors):
            projector.is_assigned = index == owner


def _copy(content: Content) -> Content:
    members = {key: set(ids) for key, ids in content.members.items()}
    return Content(dict(content.values), members)
