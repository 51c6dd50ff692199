"""Reads what PostgreSQL, Kafka and Redis hold, past all proxies, as their administrator."""

from collections.abc import Mapping, Sequence

import asyncpg
from redis.asyncio import Redis

from faults.evidence import Row
from faults.world import World
from shared.contracts.records import Record
from shared.contracts.shards import DEFAULT_PARTITIONS, TOPICS, all_shards, shard_name
from shared.event_log import PostgresEventLog
from tests.support.expected_views import Content, content_in_redis, read_event_log
from tests.support.topics import read_topic, without_duplicates

SHARDS: Sequence[str] = all_shards(DEFAULT_PARTITIONS)
_STATE = """
SELECT id::text, version, NULL::bigint AS stock FROM users
UNION ALL SELECT id::text, version, NULL FROM orders
UNION ALL SELECT id::text, version, stock FROM products
"""


async def heads(world: World) -> dict[str, int]:
    async with asyncpg.create_pool(world.database.admin_url, min_size=0, max_size=1) as pool:
        return await PostgresEventLog(pool).heads(SHARDS)


async def erasures_followed_up(world: World) -> bool:
    """Whether the log is at its end: no erased user's orders are still to be anonymized."""
    async with asyncpg.create_pool(world.database.admin_url, min_size=0, max_size=1) as pool:
        return not await pool.fetchval("SELECT EXISTS (SELECT FROM erasures WHERE NOT finished)")


async def log_and_state(world: World) -> tuple[dict[str, list[Record]], dict[str, Row]]:
    async with asyncpg.create_pool(world.database.admin_url, min_size=0, max_size=1) as pool:
        log = {shard: await read_event_log(PostgresEventLog(pool), shard) for shard in SHARDS}
        rows = await pool.fetch(_STATE)
    return log, {row["id"]: Row(row["version"], row["stock"]) for row in rows}


async def topics(world: World) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for topic in TOPICS:
        partitions = await read_topic(world.bootstrap_servers, topic)
        found |= {shard_name(topic, number): records for number, records in partitions.items()}
    return found


async def topics_complete(world: World, wanted: Mapping[str, int]) -> bool:
    """Whether a reader that takes the next position has as many events as the log."""
    try:
        found = await topics(world)
    except Exception:
        return False
    return all(len(without_duplicates(found[shard])) >= head for shard, head in wanted.items())


async def views(world: World) -> dict[str, Content]:
    found: dict[str, Content] = {}
    for shard in SHARDS:
        async with Redis.from_url(world.redis_admin(shard)) as redis:
            found[shard] = await content_in_redis(redis, shard)
    return found
