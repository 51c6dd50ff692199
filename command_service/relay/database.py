"""The relay's connections. No wait for PostgreSQL is without a bound, also when it is paused."""

import asyncio
from typing import Any, Final

import asyncpg

_CONNECT_SECONDS: Final = 5
_WAIT_SECONDS: Final = 8
_SESSION: Final = {
    "application_name": "tandem-relay",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "10s",
}
MOST_CONNECTIONS: Final = 6


class BoundedPool(asyncpg.Pool):
    """Waits for a connection, and for giving it back, no longer than for a statement."""

    def acquire(self, *, timeout: float | None = None) -> Any:
        return super().acquire(timeout=timeout or _WAIT_SECONDS)


def connect(database_url: str) -> "asyncpg.Pool[asyncpg.Record]":
    """A pool that connects when it is used, so that PostgreSQL may be down now. Await it once."""
    return BoundedPool(
        database_url,
        init_size=0,
        min_size=0,
        max_size=MOST_CONNECTIONS,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        connect=None,
        setup=None,
        init=None,
        reset=_keep_as_it_is,
        loop=None,
        timeout=_CONNECT_SECONDS,
        command_timeout=_WAIT_SECONDS,
        server_settings=_SESSION,
    )


async def disconnect(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Close the connections, by force where PostgreSQL does not answer."""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await pool.close()
    except TimeoutError:
        pool.terminate()


async def _keep_as_it_is(_connection: Any) -> None:
    """Nothing here changes a session, so resetting it would be a round trip for nothing."""
