"""Migrations do not stop commands: not while they wait for a lock, nor while they run."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from command_service.schema.migrate import migrate
from command_service.schema.scripts import Schema, Script, read_schema
from shared.contracts.shards import DEFAULT_PARTITIONS
from tests.command_service.shop import add_product, create_user, fetch, order
from tests.support.database import Database
from tests.support.identity import Identity
from tests.support.services import command_service
from tests.support.waiting import until

MAX_WAIT_S = 2.0
SINCE = "0007"
"""Earlier migrations create the tables: nothing can run at the same time."""


def schema_without(name: str) -> Schema:
    schema = read_schema()
    return Schema(tuple(s for s in schema.migrations if s.name != name), schema.functions)


@asynccontextmanager
async def long_reader(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A session that has read every table and does not end its transaction, like a dump."""
    connection = await asyncpg.connect(database.admin_url)
    try:
        async with connection.transaction(isolation="repeatable_read"):
            for table in ("log", "orders", "users", "erasures", "answers", "batches"):
                await connection.fetch(f"SELECT * FROM {table} LIMIT 1")
            yield connection
    finally:
        await connection.close()


async def test_a_migration_that_waits_for_a_lock_lets_commands_pass(
    migrated_database: Database, identity: Identity
) -> None:
    change = Script("9999_test", "ALTER TABLE orders ADD COLUMN note text; ")
    schema = read_schema()
    changed = Schema((*schema.migrations, change), schema.functions)
    async with command_service(migrated_database.command_service_url, identity) as commands:
        customer, product = await create_user(commands), await add_product(commands, 10_000)
        async with long_reader(migrated_database):
            migrating = asyncio.ensure_future(
                migrate(migrated_database.migrations_url, DEFAULT_PARTITIONS, changed)
            )
            loop = asyncio.get_running_loop()
            ends, longest = loop.time() + 6, 0.0
            while loop.time() < ends:
                started = loop.time()
                response = await commands.post("/v1/orders", json=order(customer, (product, 1)))
                assert response.status_code == 201, response.text
                longest = max(longest, loop.time() - started)
            assert not migrating.done()
        assert await asyncio.wait_for(migrating, 30) == ["9999_test"]
    assert longest < MAX_WAIT_S


@pytest.mark.parametrize("name", [s.name for s in read_schema().migrations if s.name[:4] >= SINCE])
async def test_no_migration_takes_the_lock_of_more_than_one_existing_table(name: str) -> None:
    """A script waits a second for each lock; with several ones commands could wait longer."""
    (script,) = [s for s in read_schema().migrations if s.name == name]
    if not script.in_transaction:
        return
    altered = set(re.findall(r"ALTER TABLE (\w+)", script.sql))
    assert len(altered) <= 1, altered


async def test_a_script_outside_of_a_transaction_continues_after_a_crash(
    migrated_database: Database,
) -> None:
    connection = await asyncpg.connect(migrated_database.migrations_url)
    # As after a crash between its statements: not recorded, some indexes made, others not.
    await connection.execute("DELETE FROM schema_migrations WHERE name = '0010_indexes'")
    await connection.execute("DROP INDEX answers_by_time")
    await connection.close()
    applied = await migrate(migrated_database.migrations_url, DEFAULT_PARTITIONS)
    assert applied == ["0010_indexes"]
    rows = await fetch(
        migrated_database,
        """SELECT c.relname, i.indisvalid FROM pg_index AS i
           JOIN pg_class AS c ON c.oid = i.indexrelid
           WHERE c.relname IN ('log_by_subject_position', 'answers_by_time', 'batches_by_time')""",
    )
    assert [row["indisvalid"] for row in rows] == [True] * 3


async def test_emails_whose_keys_were_not_composed_after_folding_get_the_new_key(
    migrated_database: Database, identity: Identity
) -> None:
    decomposed, composed = "\u03b9\u0308\u0301", "\u0390"  # the key as it was, and as it is
    connection = await asyncpg.connect(migrated_database.admin_url)
    await connection.execute(
        """INSERT INTO users (id, name, email, email_key, version)
           VALUES (gen_random_uuid(), 'Io', $1, $2, 1)""",
        f"{composed}@example.com",
        f"{decomposed}@example.com",
    )
    await connection.execute("DELETE FROM schema_migrations WHERE name = '0011_email_keys'")
    await connection.close()
    await migrate(migrated_database.migrations_url, DEFAULT_PARTITIONS)
    async with command_service(migrated_database.command_service_url, identity) as commands:

        async def taken() -> bool:
            body = {"name": "Io", "email": f"{composed}@example.com"}
            return (await commands.post("/v1/users", json=body)).status_code == 409

        await until(taken, "the email is taken", seconds=10)


async def test_expired_results_are_found_by_an_index(migrated_database: Database) -> None:
    """Without one, each deletion reads the complete table once its first day is over."""
    connection = await asyncpg.connect(migrated_database.admin_url)
    await connection.execute(
        """INSERT INTO answers (caller, key, request, reason, detail, given_at)
           SELECT 'c', n::text, '', 'not-found', '', now() - n * interval '26 seconds'
           FROM generate_series(1, 100000) AS n"""
    )
    await connection.execute("DELETE FROM answers WHERE given_at < now() - interval '48 hours'")
    await connection.execute("ANALYZE answers")
    plan = await connection.fetchval(
        """EXPLAIN (FORMAT JSON) DELETE FROM answers WHERE (caller, key) IN (
               SELECT caller, key FROM answers
               WHERE given_at < now() - make_interval(hours => 48) LIMIT 5000)"""
    )
    await connection.close()
    assert "answers_by_time" in plan
