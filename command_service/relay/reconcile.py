"""Holds a shard's cursor against Kafka and the log. The heart of the relay; change it with care.

Nothing but what was read back moves the cursor: an acknowledged record may be gone again, when
Kafka loses its tail or somebody makes the topic anew.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from command_service.relay.cursor import NONE, Claim, Cursor, Cursors
from shared.event_log import EventLog, LogDivergence


class Seen(NamedTuple):
    """A record in Kafka. Position 0: none of Tandem's."""

    offset: int
    timestamp_ms: int
    position: int
    event_id: str


class KafkaPartition(Protocol):
    """One partition as it is now. Each method raises KafkaError, also for an offset outside."""

    async def bounds(self) -> tuple[int, int]:
        """The first offset, and the one that the next record will have."""
        ...

    async def read(self, first: int, end: int) -> tuple[Sequence[Seen], int]:
        """Some records from `first` on, below `end`, and where to read on: above `first`."""
        ...


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check leaves: where to publish from, and the offset that the next batch must get."""

    cursor: Cursor
    end: int


async def check(
    claim: Claim, partition: KafkaPartition, cursors: Cursors, log: EventLog
) -> Checked:
    """Move the cursor over what is really in Kafka; back to none where the topic lost it.

    Raises LogDivergence, NotOwner, and what the clients of Kafka and PostgreSQL raise. To be
    called with no batch in flight. A crash at any point is harmless: the only effect is the
    cursor's update, which must be done before the next send.
    """
    old = await cursors.read(claim)
    start, end = await partition.bounds()
    cursor = old if await _still_there(old, partition, start, end) else NONE
    # Each record's row is read AFTER the record: what is published was committed before.
    await _demand(log, claim.shard, [(old.position, old.event_id)] if old.position else [])
    async for records in _scan(partition, max(cursor.offset + 1, start), end):
        ours = [(seen.position, seen.event_id) for seen in records if seen.position]
        await _demand(log, claim.shard, ours)
        for seen in records:
            if seen.position == cursor.position + 1:
                cursor = Cursor(seen.position, seen.offset, seen.event_id, seen.timestamp_ms)
    await cursors.write(claim, cursor)
    return Checked(cursor, end)


async def _still_there(cursor: Cursor, partition: KafkaPartition, start: int, end: int) -> bool:
    if cursor.position == 0:
        return False
    if cursor.offset >= end:  # made again, or lost its tail
        return False
    if cursor.offset < start:  # only aged out: nothing says that it was lost
        return True
    records, _ = await partition.read(cursor.offset, cursor.offset + 1)
    return any(
        seen.offset == cursor.offset
        and seen.event_id == cursor.event_id
        and seen.timestamp_ms == cursor.timestamp_ms  # the same event can land there again, late
        for seen in records
    )


async def _scan(partition: KafkaPartition, first: int, end: int) -> AsyncIterator[Sequence[Seen]]:
    """The records from `first` to `end`, which is fixed: what comes later is for the next check."""
    while first < end:
        records, first = await partition.read(first, end)
        yield records


async def _demand(log: EventLog, shard: str, seen: list[tuple[int, str]]) -> None:
    """Raise LogDivergence if the log lacks one of the events or has another one there."""
    if not seen:
        return
    known = await log.event_ids(shard, {position for position, _ in seen})
    for position, event_id in seen:
        if known.get(position) != event_id:
            there = known.get(position, "nothing")
            raise LogDivergence(
                f"{shard} position {position}: Kafka has {event_id}, the log {there}"
            )
