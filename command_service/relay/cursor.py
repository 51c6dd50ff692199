"""The cursor: the record of a shard that was last read back from Kafka, and where it is kept."""

from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

import asyncpg

_READ = """
SELECT position, "offset", event_id, timestamp_ms FROM relay_cursors
WHERE shard = $1 AND owner = $2 AND epoch = $3 AND halted IS NULL
"""
_WRITE = """
UPDATE relay_cursors SET position = $4, "offset" = $5, event_id = $6, timestamp_ms = $7
WHERE shard = $1 AND owner = $2 AND epoch = $3 AND halted IS NULL RETURNING shard
"""
_HALT = """
UPDATE relay_cursors
SET halted = $4, halted_at = clock_timestamp(), owner = NULL, leased_until = NULL
WHERE shard = $1 AND owner = $2 AND epoch = $3 RETURNING shard
"""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A record by position, offset, event id and timestamp. Position 0: none was read back."""

    position: int
    offset: int
    event_id: str
    timestamp_ms: int


NONE: Final = Cursor(0, -1, "", -1)


@dataclass(frozen=True, slots=True)
class Claim:
    """Who owns a shard: every write names it, so a relay that was taken over writes nothing."""

    shard: str
    owner: UUID
    epoch: int


class NotOwner(Exception):
    """The shard belongs to another relay now, or was halted. Nothing was written."""


class Cursors(Protocol):
    """Where cursors are kept. Each method raises NotOwner, or what PostgreSQL's client raises."""

    async def read(self, claim: Claim) -> Cursor: ...

    async def write(self, claim: Claim, cursor: Cursor) -> None:
        """Dying before it leaves the old cursor: the next check walks the same records again."""
        ...

    async def halt(self, claim: Claim, reason: str) -> None:
        """Nobody works on the shard any more until a person sets `halted` to null."""
        ...


class PostgresCursors:
    """The cursors of the table `relay_cursors`."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def read(self, claim: Claim) -> Cursor:
        row = await self._pool.fetchrow(_READ, claim.shard, claim.owner, claim.epoch)
        if row is None:
            raise NotOwner(claim.shard)
        if row["position"] == 0:
            return NONE
        return Cursor(row["position"], row["offset"], str(row["event_id"]), row["timestamp_ms"])

    async def write(self, claim: Claim, cursor: Cursor) -> None:
        named = cursor.event_id or None, None if cursor is NONE else cursor.timestamp_ms
        values = (cursor.position, cursor.offset, *named)
        await self._own(_WRITE, claim, *values)

    async def halt(self, claim: Claim, reason: str) -> None:
        await self._own(_HALT, claim, reason)

    async def _own(self, statement: str, claim: Claim, *values: object) -> None:
        row = await self._pool.fetchrow(statement, claim.shard, claim.owner, claim.epoch, *values)
        if row is None:
            raise NotOwner(claim.shard)
