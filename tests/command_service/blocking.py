"""Holds the batches of a command service, so that the commands after them form one batch."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import asyncpg
import httpx

from tests.command_service.shop import add_product
from tests.support.database import Database
from tests.support.waiting import until

_CONCURRENT_BATCHES = 2  # the default of MAX_CONCURRENT_BATCHES


@asynccontextmanager
async def blocked_batches(commands: httpx.AsyncClient, database: Database) -> AsyncIterator[None]:
    """All transactions of the service wait for a lock on the shards, for at most lock_timeout."""
    blocker = await asyncpg.connect(database.admin_url)

    async def waiting(batches: int) -> bool:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return bool(await blocker.fetchval(sql) == batches)

    first = []
    try:
        async with blocker.transaction():
            await blocker.execute("SELECT FROM shards FOR UPDATE")
            for batches in range(1, _CONCURRENT_BATCHES + 1):
                first.append(asyncio.ensure_future(add_product(commands)))
                await until(partial(waiting, batches), f"{batches} batches wait for the lock")
            yield
    finally:
        await blocker.close()
    await asyncio.gather(*first)


async def until_queued(commands: httpx.AsyncClient, count: int) -> None:
    async def queued() -> bool:
        return f"tandem_command_queue_depth {count}.0\n" in (await commands.get("/metrics")).text

    await until(queued, f"{count} commands are queued")
