"""Empty topics, an empty Redis and a new database; projectors end with their test."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from tests.projector.harness import ProjectorSystem
from tests.support.database import Database


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        await client.flushall()
        await client.acl_setuser("tandem_projector", commands=["+scan"], enabled=True)
        yield client


@pytest.fixture
async def system(
    migrated_database: Database, kafka_bootstrap: str, redis: Redis, redis_projector_url: str
) -> AsyncIterator[ProjectorSystem]:
    system = ProjectorSystem(migrated_database, kafka_bootstrap, redis, redis_projector_url)
    await system.open()
    yield system
    await system.close()
