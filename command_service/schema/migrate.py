"""`python -m command_service migrate`: brings the database's schema up to date."""

import asyncio
import sys
from collections.abc import Iterable
from typing import Final

import asyncpg

from command_service.exceptions import CannotMigrate
from command_service.schema.scripts import Schema, Script, read_schema
from shared.contracts.shards import TOPICS, all_shards

_LOCK: Final = 7_221_019_466  # Any number, but the same one in every version of Tandem.
_MAX_LOCK_ATTEMPTS: Final = 200  # about five minutes
_LOCK_PAUSE_S: Final = 0.5
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now()
)
"""
_MIGRATIONS: Final = "SELECT name FROM schema_migrations"
_RECORD_MIGRATION: Final = "INSERT INTO schema_migrations (name) VALUES ($1)"
_FUNCTIONS: Final = """
SELECT DISTINCT ON (name) name, digest FROM schema_functions ORDER BY name, number DESC
"""
_RECORD_FUNCTION: Final = "INSERT INTO schema_functions (name, digest) VALUES ($1, $2)"
_ROLES: Final = ("tandem_command_service", "tandem_relay", "tandem_log_reader")


async def migrate(database_url: str, partitions: int, schema: Schema | None = None) -> list[str]:
    """Apply missing migrations and changed functions; return the names of what was applied.

    Each script is one transaction: if the process dies, the next run continues after the last
    committed one. Concurrent runs wait for each other. Raises CannotMigrate.
    """
    schema = schema or read_schema()
    connection: asyncpg.Connection = await asyncpg.connect(database_url, timeout=10)
    try:
        await _acquire_lock(connection)
        await connection.execute("SET lock_timeout = '1s'")
        await _check_roles(connection)
        await connection.execute(_TABLE)
        applied = await _apply_migrations(connection, schema.migrations)
        applied += await _apply_functions(connection, schema.functions)
        await _add_shards(connection, partitions)
    finally:
        await connection.close(timeout=5)
    return applied


async def _acquire_lock(connection: asyncpg.Connection) -> None:
    """Polled: CREATE INDEX CONCURRENTLY would wait for a session that waits for this lock."""
    while True:
        if await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            return
        await asyncio.sleep(_LOCK_PAUSE_S)


async def _apply_migrations(
    connection: asyncpg.Connection, migrations: Iterable[Script]
) -> list[str]:
    done = {row["name"] for row in await connection.fetch(_MIGRATIONS)}
    missing = [script for script in migrations if script.name not in done]
    for script in missing:
        await _execute(connection, script, _RECORD_MIGRATION, script.name)
    return [script.name for script in missing]


async def _apply_functions(
    connection: asyncpg.Connection, functions: Iterable[Script]
) -> list[str]:
    """Compares with the last applied digest, so that a function can return to earlier content."""
    current = {row["name"]: row["digest"] for row in await connection.fetch(_FUNCTIONS)}
    changed = [script for script in functions if current.get(script.name) != script.digest]
    for script in changed:
        await _execute(connection, script, _RECORD_FUNCTION, script.name, script.digest)
    return [f"function {script.name}" for script in changed]


async def _execute(
    connection: asyncpg.Connection, script: Script, record: str, *values: str
) -> None:
    """Retried while another transaction holds a lock that it needs. Raises CannotMigrate.

    The writers queue behind a waiting ALTER TABLE, so it waits briefly and lets them pass.
    """
    for attempt in range(_MAX_LOCK_ATTEMPTS):
        try:
            if script.in_transaction:
                async with connection.transaction():
                    await connection.execute(script.sql)
                    await connection.execute(record, *values)
            else:
                for statement in script.statements:
                    await connection.execute(statement)
                await connection.execute(record, *values)
            return
        except asyncpg.LockNotAvailableError:
            sys.stderr.write(f"{script.name}: waiting for a lock, attempt {attempt + 1}\n")
            await asyncio.sleep(_LOCK_PAUSE_S)
    raise CannotMigrate(
        f"{script.name}: another transaction held a lock for {_MAX_LOCK_ATTEMPTS} attempts"
    )


async def _check_roles(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch("SELECT rolname FROM pg_roles")
    missing = sorted(set(_ROLES) - {row["rolname"] for row in rows})
    if missing:
        raise CannotMigrate(
            f"the roles {', '.join(missing)} are missing: "
            "run deploy/postgres/roles.sql as an administrator first"
        )


async def _add_shards(connection: asyncpg.Connection, partitions: int) -> None:
    expected = all_shards(partitions)
    found = [row["name"] for row in await connection.fetch("SELECT name FROM shards")]
    if found and set(found) != set(expected):
        raise CannotMigrate(
            f"PARTITIONS: the database has {len(found) // len(TOPICS)} partitions, which cannot "
            f"be changed to {partitions}"
        )
    async with connection.transaction():
        for table, column in (("shards", "name"), ("relay_cursors", "shard")):
            await connection.execute(
                f"INSERT INTO {table} ({column}) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING",
                expected,
            )
