"""A page costs Redis the same however many orders and products there are."""

import httpx
import pytest

from tests.query_service.shop import Shop

PATHS = ("/v1/orders?limit=10", "/v1/products?limit=10", "/v1/products?q=cha&limit=10", "/v1/users")


@pytest.mark.parametrize("path", [*PATHS, "/v1/orders?status=placed&limit=10", "/v1/dashboard"])
async def test_a_page_asks_redis_as_much_at_300_of_everything_as_at_20(
    queries: httpx.AsyncClient, shop: Shop, path: str
) -> None:
    await _fill(shop, 20)
    few = await _keys_read(queries, shop, path)
    await _fill(shop, 280)
    many = await _keys_read(queries, shop, path)
    assert many <= few * 1.3 + 30


async def _fill(shop: Shop, times: int) -> None:
    for number in range(times):
        customer = await shop.user(email=f"{number}@example.org")
        await shop.order(customer)
        await shop.product(f"Chair {number}", placed=number)


async def _keys_read(queries: httpx.AsyncClient, shop: Shop, path: str) -> float:
    """Keys looked up for one page, the poller's own looks among them: the least of several."""
    assert (await queries.get(path)).status_code == 200
    found = []
    for _ in range(5):
        before = await _lookups(shop)
        assert (await queries.get(path)).status_code == 200
        found.append(await _lookups(shop) - before)
    return min(found)


async def _lookups(shop: Shop) -> int:
    stats = await shop.admin.info("stats")
    return int(stats["keyspace_hits"]) + int(stats["keyspace_misses"])
