"""A Kafka partition, its publisher, the cursors and the event log, all in memory.

The fakes and their real counterparts pass the same tests: test_fakes.py.
"""

import time
from collections.abc import Iterable, Sequence
from uuid import UUID, uuid5

from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from prometheus_client import CollectorRegistry

from command_service.relay.cursor import NONE, Cursor
from command_service.relay.errors import EmptyFetch, NotOwner
from command_service.relay.lease import Clock, FencingToken
from command_service.relay.metrics import RelayMetrics
from command_service.relay.publisher import BatchInFlight, Publisher
from command_service.relay.reconcile import KafkaRecordRef
from command_service.relay.shard_loop import RelayContext
from shared.contracts.records import Record
from shared.event_log import EventLog

_NAMESPACE = UUID(int=7)


def event_id(position: int, history: str = "a") -> str:
    return str(uuid5(_NAMESPACE, f"{history} {position}"))


def record(shard: str, position: int, id: str | None = None) -> Record:
    return Record(
        shard,
        position,
        id or event_id(position),
        "product.retired",
        str(UUID(int=0)),
        None,
        "2026-01-01T00:00:00.000Z",
        None,
        b'{"id":"x","version":1}',
    )


class FakePartition:
    """Records by offset. `read` returns up to `max_records`, so that a scan needs several reads."""

    def __init__(self, max_records: int = 2) -> None:
        self.records: list[KafkaRecordRef] = []
        self.start = 0
        self.clock = 1000
        self._base = 0
        self._max_records = max_records

    @property
    def end(self) -> int:
        return self._base + len(self.records)

    @property
    def positions(self) -> list[int]:
        return [record.position for record in self.records]

    def append(self, position: int, history: str = "a") -> None:
        """An event, or with position 0 a foreign record."""
        self.clock += 1
        id = event_id(position, history) if position else ""
        self.records.append(KafkaRecordRef(self.end, self.clock, position, id))

    def extend(self, *positions: int) -> None:
        for position in positions:
            self.append(position)

    def recreate(self) -> None:
        self.records, self.start, self._base = [], 0, 0

    def lose_tail(self, count: int) -> None:
        del self.records[len(self.records) - count :]

    def delete_before(self, offset: int) -> None:
        """As retention does."""
        del self.records[: offset - self._base]
        self._base = self.start = offset

    async def bounds(self) -> tuple[int, int]:
        return self.start, self.end

    async def read(self, first: int, end: int) -> tuple[Sequence[KafkaRecordRef], int]:
        if not self.start <= first <= self.end:
            raise OffsetOutOfRangeError(first)
        records = [r for r in self.records if first <= r.offset < end][: self._max_records]
        if not records:
            raise EmptyFetch(first)
        return records, records[-1].offset + 1


class FakeCursors:
    """The row of one shard. Tokens with another epoch are rejected."""

    def __init__(self) -> None:
        self.cursor = NONE
        self.epoch = 1
        self.halted: str | None = None

    def _verify(self, token: FencingToken) -> None:
        if token.epoch != self.epoch or self.halted:
            raise NotOwner(token.shard)

    async def read(self, token: FencingToken) -> Cursor:
        self._verify(token)
        return self.cursor

    async def write(self, token: FencingToken, cursor: Cursor) -> None:
        self._verify(token)
        self.cursor = cursor

    async def halt(self, token: FencingToken, reason: str) -> None:
        self._verify(token)
        self.halted = reason


class FakeLog:
    """The event log of one shard: event ids, the first at position 1."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def commit(self, count: int, history: str = "a") -> None:
        first = len(self.ids) + 1
        self.ids += [event_id(position, history) for position in range(first, first + count)]

    def restore(self, length: int) -> None:
        """As from a backup: later events are lost."""
        del self.ids[length:]

    async def read(self, shard: str, first: int, limit: int) -> Sequence[Record]:
        ids = self.ids[first - 1 : first - 1 + limit]
        return [record(shard, first + i, id) for i, id in enumerate(ids)]

    async def heads(self, shards: Iterable[str]) -> dict[str, int]:
        return dict.fromkeys(shards, len(self.ids))

    async def event_ids(self, shard: str, positions: Iterable[int]) -> dict[int, str]:
        return {p: self.ids[p - 1] for p in positions if 0 < p <= len(self.ids)}


class FakePublisher:
    """Appends to a partition. `failure` makes the next batch raise, after it arrived or not."""

    def __init__(self, partition: FakePartition) -> None:
        self.partition = partition
        self.failure: str | None = None
        self.batches: list[list[int]] = []

    async def send(self, shard: str, records: Sequence[Record]) -> BatchInFlight:
        self.batches.append([record.position for record in records])
        return BatchInFlight(len(records), self._base_offset(self.batches[-1]))

    async def _base_offset(self, positions: list[int]) -> int:
        failure, self.failure = self.failure, None
        base = self.partition.end
        if failure != "rejected":
            self.partition.extend(*positions)
        if failure:
            raise KafkaError(failure)
        return base


def relay_context(
    log: EventLog,
    cursors: FakeCursors,
    publisher: Publisher,
    partition: FakePartition,
    reconcile_interval_seconds: float,
    clock: Clock = time.monotonic,
) -> RelayContext:
    return RelayContext(
        log=log,
        cursors=cursors,
        publisher=publisher,
        partition=lambda _shard: partition,
        topic_is_usable=lambda _topic: True,
        request_topic_poll=lambda: None,
        metrics=RelayMetrics(CollectorRegistry()),
        reconcile_interval_seconds=reconcile_interval_seconds,
        clock=clock,
    )
