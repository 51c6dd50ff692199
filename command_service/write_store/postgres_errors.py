"""The errors of PostgreSQL: which of them are transient, and which leave the outcome unknown."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import asyncpg
from asyncpg import exceptions

TRANSIENT_SQLSTATES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "08": "the connection failed",
        "25006": "the server is read-only, as after a failover",
        "25P03": "the transaction was idle for too long",
        "26000": "a pooler in transaction mode lost a prepared statement",
        "28": "the login was rejected, as while a password is rotated",
        "3D000": "the database does not exist yet",
        "3F000": "the schema does not exist yet",
        "40": "the transaction was rolled back: deadlock or serialization failure",
        "42501": "a privilege is missing, as during a restore",
        "42703": "a column does not exist yet",
        "42883": "a function does not exist yet",
        "42P01": "a table does not exist yet",
        "42P05": "a pooler in transaction mode mixed prepared statements",
        "53": "the server is out of connections, memory or disk space",
        "55": "a lock was not available in time, or an object is in use",
        "57": "the server is shutting down, starting, or cancelled the statement",
        "58": "the server had an I/O error",
    }
)
"""By SQLSTATE, or its first two characters: a retry can succeed; until then, the response is 503.

Any other SQLSTATE is a defect of the batch, which is bisected; the response is 500.
"""


def _transient() -> Iterator[type[BaseException]]:
    for value in vars(exceptions).values():
        if isinstance(value, type) and issubclass(value, asyncpg.PostgresError):
            state = value.sqlstate or ""
            if state in TRANSIENT_SQLSTATES or state[:2] in TRANSIENT_SQLSTATES:
                yield value


CONNECTION_LOST: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    # Raised by asyncpg if the server ended the session between two statements.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)
"""The outcome of the last statement is unknown."""

TRANSIENT_ERRORS: tuple[type[BaseException], ...] = (
    *CONNECTION_LOST,
    # The schema changed since the statement was prepared; asyncpg prepares it again.
    asyncpg.InvalidCachedStatementError,
    *_transient(),
)
"""A retry can succeed: the server is unavailable, overloaded, full or not set up yet."""

POSTGRES_ERRORS: tuple[type[BaseException], ...] = (*TRANSIENT_ERRORS, asyncpg.PostgresError)
"""Every error of PostgreSQL or of the connection to it."""
