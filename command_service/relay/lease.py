"""Leases of shards: rows with a growing epoch, timed by the database, bounded by our clock."""

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg

from command_service.relay.cursor import Claim

Clock = Callable[[], float]
_MARGIN: Final = 0.1

_REGISTER = """
INSERT INTO relays (id, alive_until) VALUES ($1, clock_timestamp() + $2)
ON CONFLICT (id) DO UPDATE SET alive_until = excluded.alive_until
"""
_FORGET_THE_DEAD = "DELETE FROM relays WHERE alive_until < clock_timestamp() - interval '1 hour'"
_RENEW = """
UPDATE relay_cursors AS c SET leased_until = clock_timestamp() + $2
FROM unnest($3::text[], $4::bigint[]) AS mine (shard, epoch)
WHERE c.shard = mine.shard AND c.epoch = mine.epoch AND c.owner = $1 AND c.halted IS NULL
RETURNING c.shard
"""
_CLAIM = """
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
SELECT (SELECT count(*) FROM relays WHERE alive_until > clock_timestamp()) AS relays,
       coalesce(array_agg(shard), '{}') AS shards,
       coalesce(array_agg(shard) FILTER (WHERE halted IS NOT NULL), '{}') AS halted,
       count(*) FILTER (
           WHERE halted IS NULL AND (owner IS NULL OR leased_until < clock_timestamp())
       ) AS free
FROM relay_cursors
"""


class Lease:
    """One shard's lease. `valid()` is what a relay asks before each send."""

    def __init__(self, claim: Claim, valid_until: float, clock: Clock) -> None:
        self.claim = claim
        self._valid_until = valid_until
        self._clock = clock

    def valid(self) -> bool:
        return self._clock() < self._valid_until

    def renewed(self, valid_until: float) -> None:
        self._valid_until = valid_until


@dataclass(frozen=True, slots=True)
class Survey:
    """All relays and shards as they are now."""

    relays: int
    shards: frozenset[str]
    halted: frozenset[str]
    free: int

    def share(self) -> int:
        """How many shards one relay should hold."""
        return math.ceil((len(self.shards) - len(self.halted)) / max(self.relays, 1))


class Leases:
    """This relay's leases. Every method raises what PostgreSQL's client raises.

    A relay that dies anywhere here leaves rows that lapse by themselves.
    """

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", relay: UUID, seconds: float, clock: Clock
    ) -> None:
        self._pool, self._relay, self._clock = pool, relay, clock
        self._term = timedelta(seconds=seconds)
        self._local_term = seconds * (1 - _MARGIN)

    async def survey(self) -> Survey:
        row = await self._pool.fetchrow(_SURVEY)
        assert row is not None
        shards, halted = frozenset(row["shards"]), frozenset(row["halted"])
        return Survey(row["relays"], shards, halted, row["free"])

    async def renew(self, held: Collection[Lease]) -> set[str]:
        """Renew all leases in one statement. Returns the shards that are still this relay's."""
        valid_until = self._clock() + self._local_term
        await self._pool.execute(_REGISTER, self._relay, self._term)
        if not held:
            return set()
        names = [lease.claim.shard for lease in held]
        epochs = [lease.claim.epoch for lease in held]
        rows = await self._pool.fetch(_RENEW, self._relay, self._term, names, epochs)
        kept = {row["shard"] for row in rows}
        for lease in held:
            if lease.claim.shard in kept:
                lease.renewed(valid_until)
        return kept

    async def claim(self, most: int, held: Iterable[str]) -> list[Lease]:
        """Take up to so many shards that nobody holds."""
        valid_until = self._clock() + self._local_term
        rows = await self._pool.fetch(_CLAIM, self._relay, self._term, list(held), most)
        return [
            Lease(Claim(row["shard"], self._relay, row["epoch"]), valid_until, self._clock)
            for row in rows
        ]

    async def release(self, claim: Claim) -> None:
        """Give one back. To be called with no batch in flight."""
        await self._pool.execute(_RELEASE, claim.shard, claim.owner, claim.epoch)

    async def leave(self) -> None:
        """Be counted no longer; the others take what was released at once."""
        await self._pool.execute("DELETE FROM relays WHERE id = $1", self._relay)

    async def delete_expired_relays(self) -> None:
        await self._pool.execute(_FORGET_THE_DEAD)
