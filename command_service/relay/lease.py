"""Leases of shards: database rows with a growing epoch, expired by the database's clock.

A relay trusts its own monotonic clock for a shorter term, so that it stops before another starts.

Relays share the shards equally. A relay counts once it has renewed its registration for a term, and
then as long as it holds leases. Therefore a relay that crashes repeatedly, or acquires nothing,
takes no shard from the others. If no relay counts yet, all that are registered do.
"""

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg

Clock = Callable[[], float]
_CLOCK_MARGIN: Final = 0.1

_REGISTER = """
INSERT INTO relays (id, alive_until) VALUES ($1, clock_timestamp() + $2)
ON CONFLICT (id) DO UPDATE SET
    alive_until = excluded.alive_until,
    registered_at = CASE WHEN relays.alive_until > clock_timestamp() THEN relays.registered_at
                    ELSE excluded.registered_at END
"""
_DELETE_EXPIRED_RELAYS = """
DELETE FROM relays WHERE alive_until < clock_timestamp() - interval '1 hour'
"""
_RENEW = """
UPDATE relay_cursors AS c SET leased_until = clock_timestamp() + $2
FROM unnest($3::text[], $4::bigint[]) AS held (shard, epoch)
WHERE c.shard = held.shard AND c.epoch = held.epoch AND c.owner = $1 AND c.halted IS NULL
RETURNING c.shard
"""
_ACQUIRE = """
UPDATE relay_cursors SET owner = $1, epoch = epoch + 1, leased_until = clock_timestamp() + $2
WHERE shard IN (
    SELECT shard FROM relay_cursors
    WHERE halted IS NULL AND (owner IS NULL OR leased_until < clock_timestamp())
      AND shard <> ALL ($3::text[])
    ORDER BY shard LIMIT $4 FOR UPDATE SKIP LOCKED
) RETURNING shard, epoch
"""
_RELEASE = """
UPDATE relay_cursors SET owner = NULL, leased_until = NULL
WHERE shard = $1 AND owner = $2 AND epoch = $3
"""
_SURVEY = """
WITH registered AS (
    SELECT id,
           alive_until - registered_at < 2 * $2::interval AS on_probation,
           alive_until - registered_at < 4 * $2::interval OR EXISTS (
               SELECT FROM relay_cursors WHERE owner = id AND leased_until > clock_timestamp()
           ) AS acquires
    FROM relays WHERE alive_until > clock_timestamp()
)
SELECT (SELECT count(*) FROM registered WHERE NOT on_probation AND acquires) AS established,
       (SELECT count(*) FROM registered) AS registered,
       coalesce((SELECT on_probation FROM registered WHERE id = $1), true) AS on_probation,
       coalesce(array_agg(shard), '{}') AS shards,
       coalesce(array_agg(shard) FILTER (WHERE halted IS NOT NULL), '{}') AS halted,
       count(*) FILTER (
           WHERE halted IS NULL AND (owner IS NULL OR leased_until < clock_timestamp())
       ) AS free
FROM relay_cursors
"""


@dataclass(frozen=True, slots=True)
class FencingToken:
    """One acquisition of a shard. Every write states it; writes of a former owner are rejected."""

    shard: str
    owner: UUID
    epoch: int


class Lease:
    """The lease of one shard. A relay checks `is_valid()` before each send."""

    def __init__(self, token: FencingToken, valid_until: float, clock: Clock) -> None:
        self.token = token
        self._valid_until = valid_until
        self._clock = clock

    def is_valid(self) -> bool:
        return self._clock() < self._valid_until

    def extend(self, valid_until: float) -> None:
        self._valid_until = valid_until


@dataclass(frozen=True, slots=True)
class Survey:
    """The relays and shards of one moment. `on_probation`: this relay does not count yet."""

    relays: int
    on_probation: bool
    shards: frozenset[str]
    halted: frozenset[str]
    free: int

    def fair_share(self) -> int:
        """The number of shards that one relay should hold."""
        return math.ceil((len(self.shards) - len(self.halted)) / max(self.relays, 1))


class Leases:
    """The leases of one relay. Every method raises what PostgreSQL's client raises.

    Rows of a relay that dies in any method expire.
    """

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", relay: UUID, seconds: float, clock: Clock
    ) -> None:
        self._pool, self._relay, self._clock = pool, relay, clock
        self._term = timedelta(seconds=seconds)
        self._local_term = seconds * (1 - _CLOCK_MARGIN)

    async def survey(self) -> Survey:
        row = await self._pool.fetchrow(_SURVEY, self._relay, self._term)
        assert row is not None
        shards, halted = frozenset(row["shards"]), frozenset(row["halted"])
        relays = row["established"] or row["registered"]
        on_probation = row["on_probation"] and row["established"] > 0
        return Survey(relays, on_probation, shards, halted, row["free"])

    async def renew(self, leases: Collection[Lease]) -> set[str]:
        """Renew all leases in one statement. Returns the shards that are still owned."""
        valid_until = self._clock() + self._local_term
        await self._pool.execute(_REGISTER, self._relay, self._term)
        if not leases:
            return set()
        names = [lease.token.shard for lease in leases]
        epochs = [lease.token.epoch for lease in leases]
        rows = await self._pool.fetch(_RENEW, self._relay, self._term, names, epochs)
        owned = {row["shard"] for row in rows}
        for lease in leases:
            if lease.token.shard in owned:
                lease.extend(valid_until)
        return owned

    async def acquire(self, max_count: int, held: Iterable[str]) -> list[Lease]:
        """Acquire up to `max_count` shards that have no owner and are not in `held`."""
        valid_until = self._clock() + self._local_term
        rows = await self._pool.fetch(_ACQUIRE, self._relay, self._term, list(held), max_count)
        return [
            Lease(FencingToken(row["shard"], self._relay, row["epoch"]), valid_until, self._clock)
            for row in rows
        ]

    async def release(self, token: FencingToken) -> None:
        """Release one shard. To be called with no batch in flight."""
        await self._pool.execute(_RELEASE, token.shard, token.owner, token.epoch)

    async def deregister(self) -> None:
        """Stop counting for the fair share; other relays acquire the released shards at once."""
        await self._pool.execute("DELETE FROM relays WHERE id = $1", self._relay)

    async def delete_expired_relays(self) -> None:
        """Delete the rows of relays that died without `deregister`."""
        await self._pool.execute(_DELETE_EXPIRED_RELAYS)
