"""A process that waits for its schema sees it come, with any role, and says what is missing."""

import asyncio
import secrets

import asyncpg
import pytest

from command_service.schema.await_schema import SchemaMissing, await_schema
from command_service.schema.migrate import migrate, migrations
from deploy.local.roles import create_roles
from tests.support.database import Database
from tests.support.servers import Postgres

ROLES = ("command_service_url", "relay_url", "log_reader_url")


@pytest.fixture
async def empty_database(postgres: Postgres, passwords: dict[str, str]) -> Database:
    """Roles, but no tables."""
    name = f"tandem_{secrets.token_hex(6)}"
    await create_roles(postgres.url(database=name), passwords)
    return Database.of(postgres, name)


@pytest.mark.parametrize("role", ROLES)
async def test_a_schema_that_is_there_is_seen_at_once(
    migrated_database: Database, role: str
) -> None:
    await await_schema(getattr(migrated_database, role), 5)


@pytest.mark.parametrize("role", ROLES)
async def test_a_schema_that_comes_later_is_waited_for(empty_database: Database, role: str) -> None:
    waiting = asyncio.create_task(await_schema(getattr(empty_database, role), 20))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    await migrate(empty_database.migrations_url, 12)
    await waiting


async def test_what_an_older_schema_lacks_is_named(migrated_database: Database) -> None:
    *_, newest = (name for name, _ in migrations())
    connection = await asyncpg.connect(migrated_database.admin_url)
    await connection.execute("DELETE FROM schema_migrations WHERE name = $1", newest)
    await connection.close()
    with pytest.raises(SchemaMissing, match=f"the database lacks {newest}$"):
        await await_schema(migrated_database.relay_url, 0.5)


async def test_a_database_that_is_away_is_named() -> None:
    with pytest.raises(SchemaMissing, match="does not answer"):
        await await_schema("postgresql://nobody@127.0.0.1:1/none", 0.5)
