"""Reconciles a shard's cursor with Kafka and the event log. The relay's safety depends on it.

Only records that were read back move the cursor: Kafka can lose an acknowledged record with the
tail of a partition, or with a topic that is deleted and recreated.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from command_service.relay.cursor import NONE, Cursor, Cursors
from command_service.relay.lease import FencingToken
from shared.event_log import EventLog, LogDivergence


class KafkaRecordRef(NamedTuple):
    """A record in Kafka. Position 0: not published by Tandem."""

    offset: int
    timestamp_ms: int
    position: int
    event_id: str


class KafkaPartition(Protocol):
    """The current state of one partition. Each method raises KafkaError."""

    async def bounds(self) -> tuple[int, int]:
        """The offset of the first record, and the offset that the next record will get."""
        ...

    async def read(self, first: int, end: int) -> tuple[Sequence[KafkaRecordRef], int]:
        """Some records from offset `first` on, below `end`; and the next offset, above `first`.

        Raises OffsetOutOfRangeError, or EmptyFetch at the end of the partition.
        """
        ...


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The cursor to publish from, and the offset that the next batch must get."""

    cursor: Cursor
    end: int


async def reconcile(
    token: FencingToken, partition: KafkaPartition, cursors: Cursors, log: EventLog
) -> Reconciled:
    """Advance the cursor over the records in Kafka; reset it if the topic lost its record.

    Raises LogDivergence, NotOwner, and what the clients of Kafka and PostgreSQL raise. To be
    called with no batch in flight. A crash at any point is harmless: the only effect is the
    update of the cursor, which must precede the next send.
    """
    old = await cursors.read(token)
    start, end = await partition.bounds()
    cursor = old if await _contains(partition, old, start, end) else NONE
    # The event log is read AFTER Kafka: an event is committed before it is published.
    await _verify_against_log(
        log, token.shard, [(old.position, old.event_id)] if old.position else []
    )
    async for records in _scan(partition, max(cursor.offset + 1, start), end):
        events = [(record.position, record.event_id) for record in records if record.position]
        await _verify_against_log(log, token.shard, events)
        for record in records:
            if record.position == cursor.position + 1:
                cursor = Cursor(
                    record.position, record.offset, record.event_id, record.timestamp_ms
                )
    await cursors.write(token, cursor)
    return Reconciled(cursor, end)


async def _contains(partition: KafkaPartition, cursor: Cursor, start: int, end: int) -> bool:
    """Whether the partition has the cursor's record, or may have removed it by retention."""
    if cursor.position == 0:
        return False
    if cursor.offset >= end:  # the topic was recreated, or lost its tail
        return False
    if cursor.offset < start:  # removed by retention, which is no evidence of a loss
        return True
    records, _ = await partition.read(cursor.offset, cursor.offset + 1)
    return any(
        record.offset == cursor.offset
        and record.event_id == cursor.event_id
        # A late batch can put the same event at the same offset of a recreated topic.
        and record.timestamp_ms == cursor.timestamp_ms
        for record in records
    )


async def _scan(
    partition: KafkaPartition, first: int, end: int
) -> AsyncIterator[Sequence[KafkaRecordRef]]:
    """The records from `first` to `end`. Later records are left to the next reconciliation."""
    while first < end:
        records, first = await partition.read(first, end)
        yield records


async def _verify_against_log(log: EventLog, shard: str, events: list[tuple[int, str]]) -> None:
    """Raise LogDivergence if the event log has none or another event at one of the positions."""
    if not events:
        return
    stored = await log.event_ids(shard, {position for position, _ in events})
    for position, event_id in events:
        if stored.get(position) != event_id:
            other = stored.get(position, "no event")
            raise LogDivergence(
                f"{shard} position {position}: Kafka has {event_id}, the event log has {other}"
            )
