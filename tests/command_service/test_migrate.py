"""Migrations are applied once, and functions when their content changes, through crashes too."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest

from command_service.exceptions import CannotMigrate
from command_service.schema.await_schema import await_schema
from command_service.schema.migrate import migrate
from command_service.schema.scripts import Schema, Script, read_schema
from shared.contracts.shards import DEFAULT_PARTITIONS, all_shards
from tests.command_service.shop import fetch
from tests.support.database import Database

PREVIOUS_RELEASE = 6  # migrations; `append` and the other functions were part of them
ALL_FUNCTIONS = [script.name for script in read_schema().functions]
GREETING = "CREATE OR REPLACE FUNCTION greet() RETURNS text LANGUAGE sql AS $$ SELECT '{}' $$"
APPEND = "SELECT position FROM append($1, $2, $3, $2, $4, $5, $4, $6)"


def with_function(text: str) -> Schema:
    schema = read_schema()
    script = Script("greet", GREETING.format(text))
    return replace(schema, functions=(*schema.functions, script))


async def greet(database: Database) -> str:
    (row,) = await fetch(database, "SELECT greet() AS text")
    return str(row["text"])


async def append(database: Database) -> int:
    connection = await asyncpg.connect(database.command_service_url)
    try:
        now = [datetime.now(UTC)]
        arguments = (["users.1"], [uuid4()], ["test.happened"], [None], now, ["{}"])
        return int(await connection.fetchval(APPEND, *arguments))
    finally:
        await connection.close()


async def apply_previous_release(database: Database) -> None:
    """What `migrate` of the release before the function scripts did."""
    connection = await asyncpg.connect(database.migrations_url)
    await connection.execute(
        "CREATE TABLE schema_migrations"
        " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    for script in read_schema().migrations[:PREVIOUS_RELEASE]:
        await connection.execute(script.sql)
        await connection.execute("INSERT INTO schema_migrations (name) VALUES ($1)", script.name)
    for table in ("shards", "relay_cursors"):
        shards = all_shards(DEFAULT_PARTITIONS)
        await connection.execute(f"INSERT INTO {table} SELECT unnest($1::text[])", shards)
    await connection.close()


async def run(database: Database, schema: Schema | None = None) -> list[str]:
    return await migrate(database.migrations_url, DEFAULT_PARTITIONS, schema)


async def test_a_second_migration_changes_nothing_and_other_partitions_are_rejected(
    migrated_database: Database,
) -> None:
    assert await run(migrated_database) == []
    with pytest.raises(CannotMigrate, match="PARTITIONS"):
        await migrate(migrated_database.migrations_url, 2 * DEFAULT_PARTITIONS)


async def test_a_changed_function_is_applied_once_and_an_unchanged_one_is_not(
    migrated_database: Database,
) -> None:
    assert await run(migrated_database, with_function("one")) == ["function greet"]
    assert await run(migrated_database, with_function("one")) == []
    assert await run(migrated_database, with_function("two")) == ["function greet"]
    assert await run(migrated_database, with_function("two")) == []
    assert await greet(migrated_database) == "two"


async def test_a_function_can_return_to_its_earlier_content(migrated_database: Database) -> None:
    for text in ("one", "two", "one"):
        assert await run(migrated_database, with_function(text)) == ["function greet"]
        assert await greet(migrated_database) == text


async def test_a_database_of_the_previous_release_is_upgraded(empty_database: Database) -> None:
    await apply_previous_release(empty_database)
    assert await append(empty_database) == 1
    later = [script.name for script in read_schema().migrations[PREVIOUS_RELEASE:]]
    functions = [f"function {name}" for name in ALL_FUNCTIONS]
    assert await run(empty_database) == [*later, *functions]
    assert await append(empty_database) == 2
    assert await run(empty_database) == []
    await await_schema(empty_database.relay_url, 5)


async def test_the_previous_release_can_still_append_after_a_crash_between_two_scripts(
    empty_database: Database,
) -> None:
    await apply_previous_release(empty_database)
    schema = read_schema()
    first, _, *others = schema.functions
    broken = replace(schema, functions=(first, Script("erase", "SELECT 1 / 0"), *others))
    with pytest.raises(asyncpg.DivisionByZeroError):
        await run(empty_database, broken)
    assert await append(empty_database) == 1
    functions = [f"function {name}" for name in ALL_FUNCTIONS]
    assert await run(empty_database) == functions[1:]


async def test_concurrent_runs_apply_each_script_once(empty_database: Database) -> None:
    applied = await asyncio.gather(*(run(empty_database) for _ in range(4)))
    schema = read_schema()
    functions = [f"function {script.name}" for script in schema.functions]
    expected = [*(script.name for script in schema.migrations), *functions]
    assert sorted(applied, key=len) == [[], [], [], expected]
    rows = await fetch(empty_database, "SELECT name FROM schema_functions ORDER BY number")
    assert [row["name"] for row in rows] == ALL_FUNCTIONS
