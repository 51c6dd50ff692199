"""The whole of Tandem, on servers that begin empty, once for all of these tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from deploy.local.servers import Kafka, Postgres, Valkey
from tests.contract.client import AllTokens
from tests.support.database import make_database
from tests.support.identity import Identity
from tests.support.stack import MODULES, Stack
from tests.support.topics import delete_topics


@pytest.fixture(scope="package")
async def stack(
    postgres: Postgres, kafka: Kafka, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    directory: Path = tmp_path_factory.mktemp("contract")
    await delete_topics(kafka.bootstrap_servers)
    async with Redis.from_url(valkey.url()) as redis:
        await redis.flushall()
    stack = Stack(await make_database(postgres), kafka, valkey, Identity(directory), directory)
    for name in MODULES:
        stack.add(name)
    await stack.ready()
    yield stack
    stop_failed = [p.name for p in stack.processes.values() if p.running and p.stop() != 0]
    stack.stop()
    assert not stop_failed


@pytest.fixture(scope="package")
async def client(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(headers=stack.identity.headers(), timeout=40) as client:
        yield client


@pytest.fixture
def identity(stack: Stack) -> Identity:
    return stack.identity


@pytest.fixture
def shop(stack: Stack, client: httpx.AsyncClient) -> AllTokens:
    """A client of both services that may do everything and holds no token yet."""
    return AllTokens(client, stack["command-service"].url, stack["query-service"].url)
