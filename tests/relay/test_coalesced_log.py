"""Concurrent reads of the event log share a statement, and each returns its own records."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from command_service.relay.database import MAX_ROWS_PER_READ, CoalescedLog
from shared.contracts.shards import all_shards
from tests.relay.harness import PARTITIONS, Events
from tests.support.database import Database

SHARDS = all_shards(PARTITIONS)


@pytest.fixture
async def statements() -> list[str]:
    return []


@pytest.fixture
async def log(migrated_database: Database, statements: list[str]) -> AsyncIterator[CoalescedLog]:
    events = Events(migrated_database.admin_url)
    await events.connect()
    await events.commit([*SHARDS, *SHARDS, *SHARDS])
    await events.close()

    async def record_statements(connection: asyncpg.Connection) -> None:
        connection.add_query_logger(lambda query: statements.append(query.query))

    async with asyncpg.create_pool(
        migrated_database.relay_url, min_size=1, max_size=4, init=record_statements
    ) as pool:
        yield CoalescedLog(pool)


async def test_all_shards_are_read_in_one_statement(
    log: CoalescedLog, statements: list[str]
) -> None:
    await log.read(SHARDS[0], 1, 1)  # the driver reads the types once
    statements.clear()
    found = await asyncio.gather(*(log.read(shard, 2, 10) for shard in SHARDS))
    assert [[(r.shard, r.position) for r in records] for records in found] == [
        [(shard, 2), (shard, 3)] for shard in SHARDS
    ]
    assert len([s for s in statements if "FROM unnest" in s]) == 1


async def test_one_shard_can_be_read_twice_at_once(log: CoalescedLog) -> None:
    first, second, beyond = await asyncio.gather(
        log.read("orders.1", 1, 2), log.read("orders.1", 3, 2), log.read("orders.1", 4, 2)
    )
    assert [r.position for r in first] == [1, 2]
    assert [r.position for r in second] == [3]
    assert list(beyond) == []


async def test_the_rows_of_one_statement_are_limited(
    log: CoalescedLog, statements: list[str]
) -> None:
    await log.read(SHARDS[0], 1, 1)
    statements.clear()
    await asyncio.gather(*(log.read(shard, 1, MAX_ROWS_PER_READ // 2) for shard in SHARDS[:4]))
    assert len([s for s in statements if "FROM unnest" in s]) == 2
