"""The connections of a projector process and of the commands to PostgreSQL and Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from projector.redis_cluster_store import RedisClusterStore
from projector.redis_store import RedisStore
from projector.store import Store
from shared.event_log import MAX_READ_BYTES, PostgresEventLog
from shared.redis.settings import RedisSettings

# Limits how long a paused PostgreSQL delays a shard that is catching up.
_EVENT_LOG_TIMEOUT_S: Final = 4.0


@asynccontextmanager
async def open_event_log(database_url: str, connections: int) -> AsyncIterator[PostgresEventLog]:
    """Connects at the first read."""
    pool = asyncpg.create_pool(
        database_url,
        min_size=0,
        max_size=connections,
        timeout=5,
        command_timeout=_EVENT_LOG_TIMEOUT_S,
        server_settings={"application_name": "tandem-projector"},
    )
    await pool
    try:
        yield PostgresEventLog(pool, MAX_READ_BYTES)
    finally:
        pool.terminate()


@asynccontextmanager
async def open_store(settings: RedisSettings) -> AsyncIterator[Store]:
    """The store in a single Redis or in a cluster."""
    if settings.redis_cluster:
        cluster = settings.cluster("tandem-projector")
        try:
            yield RedisClusterStore(cluster)
        finally:
            await cluster.aclose()
        return
    client = settings.redis("tandem-projector")
    try:
        yield RedisStore(client)
    finally:
        await client.aclose()
