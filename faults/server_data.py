"""Reads the data in PostgreSQL, Kafka and Redis directly, as administrator."""

from collections.abc import Mapping, Sequence

import asyncpg
from redis.asyncio import Redis

from faults.evidence import AggregateRow
from faults.system import SystemUnderTest
from shared.contracts.records import Record
from shared.contracts.shards import DEFAULT_PARTITIONS, TOPICS, all_shards, shard_name
from shared.event_log import PostgresEventLog
from tests.support.expected_views import Content, content_in_redis, read_event_log
from tests.support.topics import read_topic, without_duplicates

SHARDS: Sequence[str] = all_shards(DEFAULT_PARTITIONS)
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
_DEADLINE_IS_NEAR = """
SELECT EXISTS (SELECT FROM deadlines WHERE due_at < clock_timestamp() + interval '60 seconds')
"""
_ROWS = """
SELECT id::text, version, NULL::bigint AS stock FROM users
UNION ALL SELECT id::text, version, NULL FROM orders
UNION ALL SELECT id::text, version, stock FROM products
"""


async def heads(system: SystemUnderTest) -> dict[str, int]:
    async with asyncpg.create_pool(system.database.admin_url, min_size=0, max_size=1) as pool:
        return await PostgresEventLog(pool).heads(SHARDS)


async def erasures_finished(system: SystemUnderTest) -> bool:
    """Whether all orders of erased users are anonymized, so that the event log no longer grows."""
    async with asyncpg.create_pool(system.database.admin_url, min_size=0, max_size=1) as pool:
        return not await pool.fetchval("SELECT EXISTS (SELECT FROM erasures WHERE NOT finished)")


async def no_deadline_is_near(system: SystemUnderTest) -> bool:
    """Whether no order will be cancelled during the audit, so that the event log does not grow."""
    async with asyncpg.create_pool(system.database.admin_url, min_size=0, max_size=1) as pool:
        return not await pool.fetchval(_DEADLINE_IS_NEAR)


async def event_log_and_rows(
    system: SystemUnderTest,
) -> tuple[dict[str, list[Record]], dict[str, AggregateRow]]:
    async with asyncpg.create_pool(system.database.admin_url, min_size=0, max_size=1) as pool:
        event_log = {shard: await read_event_log(PostgresEventLog(pool), shard) for shard in SHARDS}
        rows = await pool.fetch(_ROWS)
    return event_log, {row["id"]: AggregateRow(row["version"], row["stock"]) for row in rows}


async def texts(system: SystemUnderTest) -> dict[str, bytes]:
    """The rows of each table of the write store, and the log output of each process."""
    found = {f"log of {path.stem}": path.read_bytes() for path in system.directory.glob("*.log")}
    async with asyncpg.create_pool(system.database.admin_url, min_size=0, max_size=1) as pool:
        for (table,) in await pool.fetch(_TABLES):
            rows = await pool.fetch(f'SELECT t::text AS text FROM "{table}" AS t')
            found[f"table {table}"] = "\n".join(row["text"] for row in rows).encode()
    return found


async def topics(system: SystemUnderTest) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for topic in TOPICS:
        partitions = await read_topic(system.bootstrap_servers, topic)
        found |= {shard_name(topic, number): records for number, records in partitions.items()}
    return found


async def topics_complete(system: SystemUnderTest, heads: Mapping[str, int]) -> bool:
    """Whether the topics, without duplicates, have as many events as the event log."""
    try:
        found = await topics(system)
    except Exception:
        return False
    return all(len(without_duplicates(found[shard])) >= head for shard, head in heads.items())


async def views(system: SystemUnderTest) -> dict[str, Content]:
    found: dict[str, Content] = {}
    for shard in SHARDS:
        async with Redis.from_url(system.redis_admin(shard)) as redis:
            found[shard] = await content_in_redis(redis, shard)
    return found
