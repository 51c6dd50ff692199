"""The cursor: the last record of a shard that was read back from Kafka, and its storage."""

from dataclasses import dataclass
from typing import Final, Protocol

import asyncpg

from command_service.relay.errors import NotOwner
from command_service.relay.lease import FencingToken

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
    """A record by position, offset, event id and timestamp. Position 0: no record."""

    position: int
    offset: int
    event_id: str
    timestamp_ms: int


NONE: Final = Cursor(0, -1, "", -1)


class Cursors(Protocol):
    """The stored cursors. Each method raises NotOwner, or what PostgreSQL's client raises."""

    async def read(self, token: FencingToken) -> Cursor: ...

    async def write(self, token: FencingToken, cursor: Cursor) -> None:
        """After a crash before it, the next reconciliation scans the same records."""
        ...

    async def halt(self, token: FencingToken, reason: str) -> None:
        """Release the shard and exclude it from leasing until an operator sets `halted` to null."""
        ...


class PostgresCursors:
    """The cursors in the table `relay_cursors`."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def read(self, token: FencingToken) -> Cursor:
        row = await self._pool.fetchrow(_READ, token.shard, token.owner, token.epoch)
        if row is None:
            raise NotOwner(token.shard)
        if row["position"] == 0:
            return NONE
        return Cursor(row["position"], row["offset"], str(row["event_id"]), row["timestamp_ms"])

    async def write(self, token: FencingToken, cursor: Cursor) -> None:
        record = cursor.event_id or None, None if cursor is NONE else cursor.timestamp_ms
        await self._update(_WRITE, token, cursor.position, cursor.offset, *record)

    async def halt(self, token: FencingToken, reason: str) -> None:
        await self._update(_HALT, token, reason)

    async def _update(self, statement: str, token: FencingToken, *values: object) -> None:
        row = await self._pool.fetchrow(statement, token.shard, token.owner, token.epoch, *values)
        if row is None:
            raise NotOwner(token.shard)
