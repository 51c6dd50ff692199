"""Reads the event log from PostgreSQL: for the relay to publish, the projector to catch up."""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Final, NamedTuple, Protocol

import asyncpg

from shared.contracts.records import Record

_ROWS = """
    SELECT * FROM log WHERE log.shard = requested.shard AND log.position >= requested.first
    ORDER BY log.position LIMIT requested.max_rows
"""
# PostgreSQL reads the data once more for its length; a caller that hits the limit should therefore
# request fewer rows.
_ROWS_WITHIN_BYTES = f"""
    SELECT * FROM (
        SELECT *, sum(octet_length(data::text)) OVER (ORDER BY position)
            - octet_length(data::text) AS preceding_bytes
        FROM ({_ROWS}) AS rows
    ) AS rows WHERE preceding_bytes < $4
"""
# The server converts to text: asyncpg's own conversions cost more than the query.
_READ = """
SELECT requested.number, l.position, l.event_id::text, l.type, l.subject::text, l.actor,
       to_char(l.time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), l.traceparent, l.data
FROM unnest($1::text[], $2::bigint[], $3::int[])
    WITH ORDINALITY AS requested (shard, first, max_rows, number)
CROSS JOIN LATERAL ({}) AS l
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
_OLDEST_UNPUBLISHED_AGE = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - l.time)), 0)::float8
FROM unnest($1::text[], $2::bigint[]) AS published (shard, position)
JOIN log AS l ON l.shard = published.shard AND l.position = published.position + 1
"""
_OF_SUBJECT = """
SELECT l.position, l.event_id::text, l.type, l.subject::text, l.actor,
       to_char(l.time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), l.traceparent, l.data
FROM log AS l
WHERE l.subject = $2::uuid AND l.shard = $1 AND l.position > $3 AND l.position <= $4
ORDER BY l.position LIMIT $5
"""
_SUBJECTS = """
SELECT l.position, l.subject::text FROM log AS l
WHERE l.shard = $1 AND l.position > $2 AND l.position <= $3 AND l.type = ANY ($4::text[])
ORDER BY l.position LIMIT $5
"""
_TYPE_COUNTS = """
SELECT l.type, count(*) FROM log AS l
WHERE l.shard = $1 AND l.position <= $2 AND l.type = ANY ($3::text[])
  AND l.subject <> ALL ($4::uuid[])
GROUP BY l.type
"""
_OF_SUBJECTS = """
SELECT l.position, l.event_id::text, l.type, l.subject::text, l.actor,
       to_char(l.time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), l.traceparent, l.data
FROM log AS l
WHERE l.subject = ANY ($2::uuid[]) AND l.shard = $1 AND l.position > $3
ORDER BY l.position
"""
_POSITION: Final = attrgetter("position")

_SCAN_TIMEOUT_S: Final = 120.0
MAX_READ_BYTES: Final = 4 * 1024 * 1024
"""The data, besides one more row, that a reader with bounded memory requests at a time."""

COMMIT_CHANNEL: Final = "tandem_log"
"""The NOTIFY channel of commits; a payload names the shards that events were appended to."""


class LogDivergence(Exception):
    """A topic or a checkpoint refers to an event that the event log does not contain there.

    Only an operator can decide which of them is right; the shard stops until then.
    """


class Range(NamedTuple):
    """Up to `limit` records of a shard from position `first` on."""

    shard: str
    first: int
    limit: int


class EventLog(Protocol):
    """Read access to the event log. Every method raises OSError or asyncpg.PostgresError."""

    async def read(self, shard: str, first: int, limit: int) -> Sequence[Record]:
        """Up to `limit` records from position `first` on, in order; empty past the head."""
        ...

    async def heads(self, shards: Iterable[str]) -> dict[str, int]:
        """The last committed position of each shard, 0 if it has no event."""
        ...

    async def event_ids(self, shard: str, positions: Iterable[int]) -> dict[int, str]:
        """The id of the event at each of the positions that exist."""
        ...


class AggregateLog(EventLog, Protocol):
    """An event log that is also read by aggregate."""

    async def read_subject(
        self, shard: str, subject: str, after: int, upto: int, limit: int
    ) -> Sequence[Record]:
        """Up to `limit` records of one aggregate, with positions in (after, upto], in order."""
        ...


class PostgresEventLog:
    """The event log in PostgreSQL, read with any role that may SELECT it.

    With `max_bytes`, a read returns fewer rows if their data is longer, but at least one.
    """

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", max_bytes: int | None = None) -> None:
        self._pool = pool
        self._max_bytes = max_bytes

    async def read(self, shard: str, first: int, limit: int) -> Sequence[Record]:
        return (await self.read_ranges([Range(shard, first, limit)]))[0]

    async def read_ranges(self, ranges: Sequence[Range]) -> list[list[Record]]:
        """The records of each range, from one statement and therefore one snapshot."""
        columns = map(list, zip(*ranges, strict=True))
        if self._max_bytes is None:
            rows = await self._pool.fetch(_READ.format(_ROWS), *columns)
        else:
            statement = _READ.format(_ROWS_WITHIN_BYTES)
            rows = await self._pool.fetch(statement, *columns, self._max_bytes)
        found: list[list[Record]] = [[] for _ in ranges]
        for number, position, event_id, type, subject, actor, time, trace, data in rows:
            shard = ranges[number - 1].shard
            record = Record(
                shard, position, event_id, type, subject, actor, time, trace, data.encode()
            )
            found[number - 1].append(record)
        for records in found:
            records.sort(key=_POSITION)  # the outer query guarantees no order
        return found

    async def heads(self, shards: Iterable[str]) -> dict[str, int]:
        rows = await self._pool.fetch(_HEADS, list(shards))
        return {row["name"]: row["head"] for row in rows}

    async def event_ids(self, shard: str, positions: Iterable[int]) -> dict[int, str]:
        rows = await self._pool.fetch(_IDS, shard, list(positions))
        return {row["position"]: row["event_id"] for row in rows}

    async def read_subject(
        self, shard: str, subject: str, after: int, upto: int, limit: int
    ) -> list[Record]:
        rows = await self._pool.fetch(_OF_SUBJECT, shard, subject, after, upto, limit)
        return [
            Record(shard, position, event_id, type, of, actor, time, trace, data.encode())
            for position, event_id, type, of, actor, time, trace, data in rows
        ]

    async def read_subjects(
        self, shard: str, subjects: Sequence[str], after: int = 0
    ) -> dict[str, list[Record]]:
        """The records of each of these aggregates after a position, in order."""
        found: dict[str, list[Record]] = {subject: [] for subject in subjects}
        rows = await self._pool.fetch(
            _OF_SUBJECTS, shard, list(subjects), after, timeout=_SCAN_TIMEOUT_S
        )
        for position, event_id, type, of, actor, time, trace, data in rows:
            record = Record(shard, position, event_id, type, of, actor, time, trace, data.encode())
            found[of].append(record)
        return found

    async def subjects(
        self, shard: str, after: int, upto: int, types: Sequence[str], limit: int
    ) -> list[tuple[int, str]]:
        """Position and aggregate of up to `limit` events of these types in (after, upto]."""
        rows = await self._pool.fetch(
            _SUBJECTS, shard, after, upto, list(types), limit, timeout=_SCAN_TIMEOUT_S
        )
        return [(position, subject) for position, subject in rows]

    async def type_counts(
        self, shard: str, upto: int, types: Sequence[str], without: Sequence[str]
    ) -> dict[str, int]:
        """How many events of these types there are, except for some aggregates."""
        rows = await self._pool.fetch(
            _TYPE_COUNTS, shard, upto, list(types), list(without), timeout=_SCAN_TIMEOUT_S
        )
        return dict(map(tuple, rows))

    async def oldest_unpublished_age(self, published: Mapping[str, int]) -> float:
        """Seconds since the oldest event after these positions; 0 if there is none."""
        if not published:
            return 0.0
        age = await self._pool.fetchval(
            _OLDEST_UNPUBLISHED_AGE, list(published), list(published.values())
        )
        return max(0.0, float(age))
