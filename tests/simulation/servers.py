"""The servers from the event log to the views, in memory: PostgreSQL, Kafka and Redis."""

from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Final, NamedTuple
from uuid import UUID

from command_service.relay.cursor import Cursor
from command_service.relay.errors import EmptyFetch, NotOwner
from command_service.relay.lease import FencingToken
from command_service.relay.reconcile import KafkaRecordRef
from shared.contracts.records import Record
from tests.projector.memory_store import MemoryStore
from tests.projector.random_log import RandomLog
from tests.relay.fakes import FakeCursors, FakePartition
from tests.simulation.faults import Network, Remote
from tests.simulation.loop import SimulatedLoop
from tests.support.expected_views import Content, expected_content

LEASE_SECONDS: Final = 3.0
MAX_EVENTS: Final = 30
HISTORIES: Final = 8


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


class Servers:
    """What the processes of a schedule use. `p_fault`: the probability that a request fails."""

    def __init__(
        self, loop: SimulatedLoop, network: Network, p_fault: float, shard: str, random: Random
    ) -> None:
        self.loop, self.network, self.p_fault, self.shard = loop, network, p_fault, shard
        self.log = EventLogServer(History(shard, random.randrange(HISTORIES)))
        self.partition, self.cursors = Partition(), LeasedCursors(loop.time)
        self.store = MemoryStore()
        self.published: dict[str, Record] = {}
        """By event id: all events that were ever committed."""
        self.sent: list[Sequence[Record]] = []
        """The batches that relays sent."""
        self._random = random

    def remote(self, server: str) -> Remote:
        """One of the servers, through the network."""
        return Remote(server, getattr(self, server), self.network, self.p_fault)

    def draw_batch_size(self) -> int:
        return self._random.randint(1, 3)
