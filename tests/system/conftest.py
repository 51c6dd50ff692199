"""All of Tandem on empty servers, once per test module."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from tests.support.database import make_database
from tests.support.identity import Identity
from tests.support.servers import Kafka, Postgres, Valkey
from tests.support.shop import Shop
from tests.support.stack import MODULES, Stack
from tests.support.topics import delete_topics


@pytest.fixture(scope="module")
async def stack(
    postgres: Postgres, kafka: Kafka, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    directory: Path = tmp_path_factory.mktemp("stack")
    await delete_topics(kafka.bootstrap_servers)
    async with Redis.from_url(valkey.url()) as redis:
        await redis.flushall()
    identity = Identity(directory)
    stack = Stack(await make_database(postgres), kafka, valkey, identity, directory)
    for name in MODULES:
        stack.add(name)
    await stack.ready()
    yield stack
    stop_failed = [p.name for p in stack.processes.values() if p.running and p.stop() != 0]
    stack.stop()
    assert not stop_failed


@pytest.fixture
async def shop(stack: Stack) -> AsyncIterator[Shop]:
    """A client of both services with all scopes."""
    async with httpx.AsyncClient(headers=stack.identity.headers(), timeout=40) as client:
        yield Shop(client, stack["command-service"].url, stack["query-service"].url)
