"""A row or a shard that another transaction holds delays only the commands that need it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest

from tests.command_service.shop import add_product, create_user, order
from tests.support.database import Database

LOCK_TIMEOUT_S = 2.0


@asynccontextmanager
async def locked(database: Database, statement: str, *values: str) -> AsyncIterator[None]:
    connection = await asyncpg.connect(database.admin_url)
    try:
        async with connection.transaction():
            assert await connection.fetch(statement, *values)
            yield
    finally:
        await connection.close()


async def timed(request: Awaitable[httpx.Response]) -> tuple[int, float]:
    started = asyncio.get_running_loop().time()
    response = await request
    return response.status_code, asyncio.get_running_loop().time() - started


@pytest.mark.parametrize("lock", ["row", "shard"])
async def test_unrelated_commands_lose_at_most_one_lock_timeout(
    commands: httpx.AsyncClient, migrated_database: Database, lock: str
) -> None:
    customer = await create_user(commands)
    busy = await add_product(commands, 1000)
    partition = int(busy[-3:], 16) % 12
    others = [await add_product(commands, 1000) for _ in range(8)]
    others = [id for id in others if int(id[-3:], 16) % 12 != partition]
    statement, value = {
        "row": ("SELECT 1 FROM products WHERE id = $1::text::uuid FOR UPDATE", busy),
        "shard": ("SELECT 1 FROM shards WHERE name = $1 FOR UPDATE", f"products.{partition}"),
    }[lock]
    until = asyncio.get_running_loop().time() + 6
    delays: list[float] = []
    statuses: list[int] = []

    async def need_the_lock() -> None:
        while asyncio.get_running_loop().time() < until:
            await commands.post("/v1/orders", json=order(customer, (busy, 1)), timeout=20)

    async def restock_another(n: int) -> None:
        while asyncio.get_running_loop().time() < until:
            path = f"/v1/products/{others[n % len(others)]}/restock"
            status, delay = await timed(commands.post(path, json={"quantity": 1}, timeout=20))
            statuses.append(status)
            delays.append(delay)

    async with locked(migrated_database, statement, value):
        blocked = [asyncio.ensure_future(need_the_lock()) for _ in range(2)]
        await asyncio.gather(*(restock_another(n) for n in range(10)))
    await asyncio.gather(*blocked)
    assert set(statuses) == {200}
    assert max(delays) < LOCK_TIMEOUT_S + 1.5
    assert len(statuses) > 200  # they go on at their usual speed, not one batch per timeout


async def test_the_blocked_command_is_executed_once_the_lock_is_released(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    customer, product = await create_user(commands), await add_product(commands, 5)
    statement = "SELECT 1 FROM products WHERE id = $1::text::uuid FOR UPDATE"
    async with locked(migrated_database, statement, product):
        body = order(customer, (product, 1))
        pending = asyncio.ensure_future(commands.post("/v1/orders", json=body, timeout=20))
        await asyncio.wait([pending], timeout=3)
        assert not pending.done()
    assert (await pending).status_code == 201
