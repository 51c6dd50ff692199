"""Sessions of PostgreSQL: their settings, and whether there are sessions at all.

Settings are applied by SET after connecting: connection poolers such as PgBouncer reject them as
startup parameters, or ignore them. A pooler must be in session mode. In transaction mode, each
transaction may run in another session, without these settings and without LISTEN.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final
from uuid import uuid4

import asyncpg

_MARK: Final = "tandem.session"
_READ_MARK: Final = f"SELECT current_setting('{_MARK}', true)"
_ROUNDS: Final = 10
_TIMEOUT_S: Final = 5.0
_POOLER_ERRORS: Final = (
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.DuplicatePreparedStatementError,
)


class TransactionPooling(Exception):
    """A connection pooler in transaction mode is between this process and PostgreSQL."""

    def __init__(self) -> None:
        super().__init__(
            "DATABASE_URL: leads to a connection pooler in transaction mode; "
            "use its session mode, or connect to PostgreSQL directly"
        )


def session_settings(settings: Mapping[str, str]) -> Callable[[Any], Coroutine[Any, Any, None]]:
    """For the `init` of a pool: applies the settings to each new connection."""
    statement = ";".join(f"SET {name} = '{value}'" for name, value in settings.items())

    async def apply(connection: Any) -> None:
        await connection.execute(statement)

    return apply


async def require_sessions(database_url: str) -> None:
    """Raises TransactionPooling, or what the driver raises.

    A setting of one connection must not be visible to another one, and must still be there while
    the other one's transaction is open. In transaction mode, the pooler hands the session that was
    just used to whichever connection comes next; other connections can hide that once, not often.
    """
    connections: list[asyncpg.Connection] = []
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            for _ in range(2):
                connections.append(await asyncpg.connect(database_url, timeout=_TIMEOUT_S))
            await _compare_sessions(*connections)
    except _POOLER_ERRORS:
        raise TransactionPooling from None
    finally:
        for connection in connections:
            connection.terminate()  # not closed: a mixed-up session may not respond


async def _compare_sessions(first: asyncpg.Connection, second: asyncpg.Connection) -> None:
    for _ in range(_ROUNDS):
        mark = uuid4().hex
        await first.execute(f"SET {_MARK} = '{mark}'")
        leaked = await second.fetchval(_READ_MARK)
        await second.execute("BEGIN")
        kept = await first.fetchval(_READ_MARK)
        await second.execute("ROLLBACK")
        if leaked == mark or kept != mark:
            raise TransactionPooling
