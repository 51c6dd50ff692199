"""All of Tandem's processes on servers that begin empty."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
from redis.asyncio import Redis

from tests.support.database import make_database
from tests.support.identity import Identity
from tests.support.servers import Kafka, Postgres, Valkey
from tests.support.stack import MODULES, Stack
from tests.support.topics import delete_topics
from tests.support.waiting import until

FIRST_READS: Final = ("/v1/users", "/v1/products", "/v1/orders", "/v1/dashboard", "/v1/projections")


@asynccontextmanager
async def running_stack(
    postgres: Postgres, kafka: Kafka, valkey: Valkey, directory: Path
) -> AsyncIterator[Stack]:
    """Ready; ends with every process, each of which must end well."""
    await delete_topics(kafka.bootstrap_servers)
    async with Redis.from_url(valkey.url()) as redis:
        await redis.flushall()
    stack = Stack(await make_database(postgres), kafka, valkey, Identity(directory), directory)
    for name in MODULES:
        stack.add(name)
    try:
        await stack.ready()
        yield stack
        stop_failed = [p.name for p in stack.processes.values() if p.running and p.stop() != 0]
        assert not stop_failed
    finally:
        stack.stop()


async def first_answers(stack: Stack) -> dict[str, int]:
    """What reads answered as soon as every process was ready; returns when they can be read."""
    url = stack["query-service"].url
    async with httpx.AsyncClient(headers=stack.identity.headers()) as client:

        async def statuses() -> dict[str, int]:
            return {path: (await client.get(url + path)).status_code for path in FIRST_READS}

        async def readable() -> bool:
            return set((await statuses()).values()) == {200}

        first = await statuses()
        await until(readable, "the empty views can be read", seconds=60)
        return first
