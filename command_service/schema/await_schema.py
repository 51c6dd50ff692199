"""`python -m command_service await-schema`: returns when the database has this version's schema.

Deployments run it before each process: processes never migrate.
"""

import asyncio
from typing import Final

import asyncpg

from command_service.exceptions import SchemaMissing
from command_service.schema.scripts import Schema, read_schema

_PAUSE_S: Final = 1.0
_ERRORS: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
_MIGRATIONS: Final = "SELECT name FROM schema_migrations"
_FUNCTIONS: Final = "SELECT name, digest FROM schema_functions"


async def await_schema(database_url: str, timeout_s: float) -> None:
    """Raises SchemaMissing after the timeout. The database may be unavailable until then."""
    schema, reason = read_schema(), "the database was not reached"
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    missing = await _find_missing_scripts(database_url, schema)
                except _ERRORS as error:
                    reason = f"the database is unavailable: {type(error).__name__}"
                else:
                    if not missing:
                        return
                    reason = f"the database lacks {', '.join(missing)}"
                await asyncio.sleep(_PAUSE_S)
    except TimeoutError:
        raise SchemaMissing(reason) from None


async def _find_missing_scripts(database_url: str, schema: Schema) -> list[str]:
    """The scripts that were never applied; with the rights of any of Tandem's roles.

    A function that a newer version has replaced since is not missing: during an upgrade, processes
    of this version start too. Raises what asyncpg raises, OSError included.
    """
    connection: asyncpg.Connection = await asyncpg.connect(database_url, timeout=10)
    try:
        migrations = {name for (name,) in await _fetch(connection, _MIGRATIONS)}
        functions = {(name, digest) for name, digest in await _fetch(connection, _FUNCTIONS)}
    finally:
        await connection.close(timeout=5)
    return [
        *(s.name for s in schema.migrations if s.name not in migrations),
        *(f"function {s.name}" for s in schema.functions if (s.name, s.digest) not in functions),
    ]


async def _fetch(connection: asyncpg.Connection, query: str) -> list[asyncpg.Record]:
    try:
        return list(await connection.fetch(query, timeout=10))
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
        return []  # The migration that creates or grants it is not applied yet.
