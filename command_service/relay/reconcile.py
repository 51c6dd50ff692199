"""Reconciles a shard's cursor with Kafka and the event log. The relay's safety depends on it.

Only records that were read back move the cursor: Kafka can lose an acknowledged record with the
tail of a partition, or with a topic that is deleted and recreated. That may also happen between two
of the reads here, so the cursor is written only if they all saw the same topic.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from command_service.relay.cursor import NONE, Cursor, Cursors
from command_service.relay.errors import PartitionChanged
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

    Raises LogDivergence, NotOwner, PartitionChanged, and what the clients of Kafka and PostgreSQL
    raise. To be called with no batch in flight. A crash at any point is harmless: the only effect
    is the update of the cursor, which must precede the next send.
    """
    old = await cursors.read(token)
    start, end = await partition.bounds()
    # Removed by retention, which is no evidence of a loss.
    aged_out = old.position > 0 and old.offset < start
    cursor = old if aged_out or await _contains_cursor(partition, old, end) else NONE
    # The event log is read AFTER Kafka: an event is committed before it is published.
    await _verify_against_log(
        log, token.shard, [(old.position, old.event_id)] if old.position else []
    )
    first = None if aged_out or cursor is NONE else _reference(cursor)
    async for records in _scan(partition, max(cursor.offset + 1, start), end):
        events = [(record.position, record.event_id) for record in records if record.position]
        await _verify_against_log(log, token.shard, events)
        for record in records:
            first = first or record
            if record.position == cursor.position + 1:
                cursor = Cursor(
                    record.position, record.offset, record.event_id, record.timestamp_ms
                )
    await _verify_unchanged(partition, start if aged_out else 0, first)
    await cursors.write(token, cursor)
    return Reconciled(cursor, end)


def _reference(cursor: Cursor) -> KafkaRecordRef:
    return KafkaRecordRef(cursor.offset, cursor.timestamp_ms, cursor.position, cursor.event_id)


async def _contains_cursor(partition: KafkaPartition, cursor: Cursor, end: int) -> bool:
    if cursor.position == 0 or cursor.offset >= end:  # the topic was recreated, or lost its tail
        return False
    return await _contains(partition, _reference(cursor))


async def _contains(partition: KafkaPartition, record: KafkaRecordRef) -> bool:
    """The timestamp counts: a late batch can put an event at its old offset of a new topic."""
    records, _ = await partition.read(record.offset, record.offset + 1)
    return record in records


async def _verify_unchanged(
    partition: KafkaPartition, min_start: int, first: KafkaRecordRef | None
) -> None:
    """Raise PartitionChanged unless the partition still has the first record that was read.

    If retention removed the cursor's record, a recreated topic shows by a lower start offset.
    """
    if min_start > 0 and (await partition.bounds())[0] < min_start:
        raise PartitionChanged(f"its start is below offset {min_start}")
    if first is not None and not await _contains(partition, first):
        raise PartitionChanged(f"it has another record at offset {first.offset}")


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
