"""Connections of the command service to PostgreSQL."""

from typing import Final, TypeAlias

import asyncpg

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Acquired: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
_SESSION: Final = {
    "application_name": "tandem-command-service",
    # A stuck writer may hold up its shards for so long and no longer.
    "lock_timeout": "2000",
    "idle_in_transaction_session_timeout": "5000",
    "statement_timeout": "8000",
}


async def open_pool(database_url: str, most: int) -> Pool:
    """A pool that connects when it is first used: the server may still be away."""
    return await asyncpg.create_pool(
        database_url,
        min_size=0,
        max_size=most,
        timeout=3,
        command_timeout=5,
        max_inactive_connection_lifetime=300,
        server_settings=_SESSION,
        reset=_no_reset,
    )


async def _no_reset(connection: asyncpg.Connection) -> None:
    """Transactions leave nothing behind in a session; resetting it would cost a round trip."""
