"""Connections of the command service to PostgreSQL."""

from typing import Final, TypeAlias

import asyncpg

from shared.postgres_sessions import session_settings

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Acquired: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
_SESSION: Final = {
    # Stated, because a server may have another default.
    "default_transaction_isolation": "read committed",
    # Limits how long a stalled writer can block its shards.
    "lock_timeout": "2000",
    "idle_in_transaction_session_timeout": "5000",
    "statement_timeout": "8000",
}


async def open_pool(database_url: str, max_size: int) -> Pool:
    """A pool that connects on first use, so the server need not be available yet."""
    return await asyncpg.create_pool(
        database_url,
        min_size=0,
        max_size=max_size,
        timeout=3,
        command_timeout=5,
        max_inactive_connection_lifetime=300,
        server_settings={"application_name": "tandem-command-service"},
        init=session_settings(_SESSION),
        reset=_no_reset,
    )


async def _no_reset(connection: asyncpg.Connection) -> None:
    """Transactions leave no session state; a reset would cost a round trip."""
