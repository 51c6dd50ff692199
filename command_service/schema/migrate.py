"""Brings the database's schema up to date: each file of `migrations/` once, in name order."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Final

import asyncpg

from shared.contracts.shards import all_shards

_LOCK: Final = 7_221_019_466  # Any number, as long as every version of Tandem uses the same.
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now()
)
"""
ROLES: Final = ("tandem_command_service", "tandem_relay", "tandem_log_reader")


class CannotMigrate(Exception):
    """What keeps the schema from being brought up to date, in one line."""


def migrations() -> Iterator[tuple[str, str]]:
    """Name and SQL of every migration, in order."""
    found = [
        f for f in files("command_service.schema.migrations").iterdir() if f.name.endswith(".sql")
    ]
    for file in sorted(found, key=lambda file: file.name):
        yield file.name.removesuffix(".sql"), file.read_text()


async def migrate(database_url: str, partitions: int) -> list[str]:
    """Apply what is missing; the names of what was applied.

    Each migration is a transaction of its own: if the process dies, the next run goes on after
    the last whole one. Several at once wait for each other.
    """
    connection: asyncpg.Connection = await asyncpg.connect(database_url, timeout=10)
    try:
        await connection.execute("SET lock_timeout = '10s'")
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await _check_roles(connection)
        await connection.execute(_TABLE)
        done = {r["name"] for r in await connection.fetch("SELECT name FROM schema_migrations")}
        applied = [name for name, sql in migrations() if name not in done]
        for name, sql in migrations():
            if name in applied:
                await _apply(connection, name, sql)
        await _make_shards(connection, partitions)
    finally:
        await connection.close(timeout=5)
    return applied


async def missing(database_url: str) -> list[str]:
    """The migrations of this version that the database lacks; any of Tandem's roles may ask.

    Raises what asyncpg raises, OSError included, where it does not answer.
    """
    connection: asyncpg.Connection = await asyncpg.connect(database_url, timeout=10)
    try:
        rows = await connection.fetch("SELECT name FROM schema_migrations", timeout=10)
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
        rows = []  # the first migration has not come that far
    finally:
        await connection.close(timeout=5)
    done = {row["name"] for row in rows}
    return [name for name, _ in migrations() if name not in done]


async def _apply(connection: asyncpg.Connection, name: str, sql: str) -> None:
    async with connection.transaction():
        await connection.execute(sql)
        await connection.execute("INSERT INTO schema_migrations (name) VALUES ($1)", name)


async def _check_roles(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch("SELECT rolname FROM pg_roles")
    missing = sorted(set(ROLES) - {row["rolname"] for row in rows})
    if missing:
        raise CannotMigrate(
            f"the roles {', '.join(missing)} are missing: "
            "run deploy/postgres/roles.sql as an administrator first"
        )


async def _make_shards(connection: asyncpg.Connection, partitions: int) -> None:
    wanted = all_shards(partitions)
    found = [row["name"] for row in await connection.fetch("SELECT name FROM shards")]
    if found and set(found) != set(wanted):
        raise CannotMigrate(
            f"PARTITIONS: the database was made with {len(found) // 3} partitions, which cannot "
            f"be changed to {partitions}"
        )
    async with connection.transaction():
        for table, column in (("shards", "name"), ("relay_cursors", "shard")):
            await connection.execute(
                f"INSERT INTO {table} ({column}) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING",
                wanted,
            )
