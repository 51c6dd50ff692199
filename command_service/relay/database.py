"""The relay's access to PostgreSQL: a pool whose waits all have a timeout, and the event log."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from shared.contracts.records import Record
from shared.event_log import PostgresEventLog, Range
from shared.postgres_sessions import session_settings
from shared.request_coalescer import RequestCoalescer

if TYPE_CHECKING:
    from asyncpg import Pool

_CONNECT_SECONDS: Final = 5
_STATEMENT_SECONDS: Final = 8
_MAX_CONNECTIONS: Final = 6
_SESSION: Final = {
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "10s",
}
MAX_ROWS_PER_READ: Final = 4000


class BoundedPool(asyncpg.Pool):
    """Acquires and releases a connection within the timeout of a statement."""

    def acquire(self, *, timeout: float | None = None) -> Any:
        return super().acquire(timeout=timeout or _STATEMENT_SECONDS)


def connect(database_url: str) -> "Pool[asyncpg.Record]":
    """A pool to be awaited once. It connects on first use: PostgreSQL may be unavailable now."""
    return BoundedPool(
        database_url,
        init_size=0,
        min_size=0,
        max_size=_MAX_CONNECTIONS,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        connect=None,
        setup=None,
        init=session_settings(_SESSION),
        reset=_skip_reset,
        loop=None,
        timeout=_CONNECT_SECONDS,
        command_timeout=_STATEMENT_SECONDS,
        server_settings={"application_name": "tandem-relay"},
    )


async def disconnect(pool: "Pool[asyncpg.Record]") -> None:
    """Close the connections; abort them if PostgreSQL does not respond."""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await pool.close()
    except TimeoutError:
        pool.terminate()


async def _skip_reset(_connection: Any) -> None:
    """The relay changes no session state; a reset would cost a round trip per statement."""


class CoalescedLog(PostgresEventLog):
    """The event log, read for all shards of a relay by one statement at a time.

    After a commit many shards have new events at once; one statement per shard would cost several
    times as much as the rows. An error of a statement is raised for all its reads.
    """

    def __init__(self, pool: "Pool[asyncpg.Record]") -> None:
        super().__init__(pool)
        self._reads = RequestCoalescer(
            self.read_ranges, max_batch_size=MAX_ROWS_PER_READ, weight=lambda range: range.limit
        )

    async def read(self, shard: str, first: int, limit: int) -> Sequence[Record]:
        return await self._reads.submit(Range(shard, first, limit))
