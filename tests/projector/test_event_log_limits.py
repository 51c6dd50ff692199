"""Reads of the event log are limited in bytes."""

import asyncpg

from shared.event_log import PostgresEventLog
from tests.projector.harness import ProjectorSystem


async def test_a_read_ends_with_the_row_that_exceeds_the_limit(system: ProjectorSystem) -> None:
    records = system.logs["orders.1"].take(40)
    await system.commit(records)
    async with asyncpg.create_pool(system.database.admin_url, min_size=1, max_size=1) as pool:
        everything = await PostgresEventLog(pool).read("orders.1", 1, 100)
        assert [row.event_id for row in everything] == [record.event_id for record in records]
        limit = sum(len(row.data) for row in everything[4:10])
        log = PostgresEventLog(pool, limit)
        assert await log.read("orders.1", 5, 100) == everything[4:10]
        assert await log.read("orders.1", 5, 3) == everything[4:7]
        assert await PostgresEventLog(pool, 1).read("orders.1", 5, 100) == everything[4:5]
        assert await log.read("orders.1", 41, 100) == []
