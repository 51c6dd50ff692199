"""Reads the log from PostgreSQL. The relay publishes from it, the projector heals from it."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import asyncpg

from shared.contracts.records import Record

# Texts are made by the server: the driver's own conversions cost more than all the rest.
_READ = """
SELECT shard, position, event_id::text, type, subject::text, actor,
       to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), traceparent, data
FROM log WHERE shard = $1 AND position >= $2 ORDER BY position LIMIT $3
"""
_HEADS = """
SELECT s.name, coalesce((
    SELECT l.position FROM log AS l WHERE l.shard = s.name ORDER BY l.position DESC LIMIT 1
), 0) AS head
FROM unnest($1::text[]) AS s (name)
"""
_IDS = """
SELECT l.position, l.event_id::text FROM log AS l
WHERE l.shard = $1 AND l.position = ANY ($2::bigint[])
"""


class Log(Protocol):
    """What its readers need of the log. Every method raises OSError or asyncpg.PostgresError."""

    async def read(self, shard: str, first: int, limit: int) -> Sequence[Record]:
        """Up to `limit` records from position `first` on, in order; empty past the head."""
        ...

    async def heads(self, shards: Iterable[str]) -> dict[str, int]:
        """The last committed position of each shard, 0 where it has no event."""
        ...

    async def event_ids(self, shard: str, positions: Iterable[int]) -> dict[int, str]:
        """The id of the event at each of the positions that exist."""
        ...


class PostgresLog:
    """The log itself, through any role that may SELECT it."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def read(self, shard: str, first: int, limit: int) -> list[Record]:
        rows = await self._pool.fetch(_READ, shard, first, limit)
        return [
            Record(shard, position, event_id, type, subject, actor, time, trace, data.encode())
            for shard, position, event_id, type, subject, actor, time, trace, data in rows
        ]

    async def heads(self, shards: Iterable[str]) -> dict[str, int]:
        rows = await self._pool.fetch(_HEADS, list(shards))
        return {row["name"]: row["head"] for row in rows}

    async def event_ids(self, shard: str, positions: Iterable[int]) -> dict[int, str]:
        rows = await self._pool.fetch(_IDS, shard, list(positions))
        return {row["position"]: row["event_id"] for row in rows}
