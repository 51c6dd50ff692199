"""All of Tandem's processes, on empty servers."""

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
    """The stack when it is ready. At the end every process must stop with status 0."""
    await delete_topics(kafka.bootstrap_servers)
    async with Redis.from_url(valkey.url()) as redis:
        await redis.flushall()
    stack = Stack(await make_database(postgres), kafka, valkey, Identity(directory), directory)
    for name in MODULES:
        stack.add(name)
    try:
        await stack.ready()
        yield stack
        failed = [p.name for p in stack.processes.values() if p.running and p.stop() != 0]
        assert not failed
    finally:
        stack.stop()


async def first_statuses(stack: Stack) -> dict[str, int]:
    """The status of each read when every process is ready; returns when all are 200."""
    url = stack["query-service"].url
    async with httpx.AsyncClient(headers=stack.identity.headers()) as client:

        async def statuses() -> dict[str, int]:
            return {path: (await client.get(url + path)).status_code for path in FIRST_READS}

        async def readable() -> bool:
            return set((await statuses()).values()) == {200}

        first = await statuses()
        await until(readable, "the empty views can be read", seconds=60)
        return first
