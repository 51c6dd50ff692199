"""`await-schema` waits, with any role, for a complete schema, and reports what is missing."""

import asyncio

import asyncpg
import pytest

from command_service.exceptions import SchemaMissing
from command_service.schema.await_schema import await_schema
from command_service.schema.migrate import migrate
from command_service.schema.scripts import read_schema
from shared.contracts.shards import DEFAULT_PARTITIONS
from tests.support.database import Database

ROLES = ("command_service_url", "relay_url", "log_reader_url")


async def execute(database: Database, sql: str, *arguments: object) -> None:
    connection = await asyncpg.connect(database.admin_url)
    await connection.execute(sql, *arguments)
    await connection.close()


@pytest.mark.parametrize("role", ROLES)
async def test_it_returns_at_once_if_the_schema_is_complete(
    migrated_database: Database, role: str
) -> None:
    await await_schema(getattr(migrated_database, role), 5)


@pytest.mark.parametrize("role", ROLES)
async def test_it_returns_when_the_schema_becomes_complete(
    empty_database: Database, role: str
) -> None:
    waiting = asyncio.create_task(await_schema(getattr(empty_database, role), 20))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    await migrate(empty_database.migrations_url, DEFAULT_PARTITIONS)
    await waiting


async def test_it_reports_a_missing_migration(migrated_database: Database) -> None:
    newest = read_schema().migrations[-1].name
    await execute(migrated_database, "DELETE FROM schema_migrations WHERE name = $1", newest)
    with pytest.raises(SchemaMissing, match=f"the database lacks {newest}$"):
        await await_schema(migrated_database.relay_url, 0.5)


async def test_it_reports_a_function_of_an_older_version(migrated_database: Database) -> None:
    older = "UPDATE schema_functions SET digest = 'older' WHERE name = 'append'"
    await execute(migrated_database, older)
    with pytest.raises(SchemaMissing, match=r"the database lacks function append$"):
        await await_schema(migrated_database.command_service_url, 0.5)


async def test_it_accepts_a_function_that_a_newer_version_has_replaced(
    migrated_database: Database,
) -> None:
    newer = "INSERT INTO schema_functions (name, digest) VALUES ('append', 'newer')"
    await execute(migrated_database, newer)
    await await_schema(migrated_database.command_service_url, 5)


async def test_it_reports_an_unavailable_database() -> None:
    with pytest.raises(SchemaMissing, match="the database is unavailable"):
        await await_schema("postgresql://unknown@127.0.0.1:1/none", 0.5)
