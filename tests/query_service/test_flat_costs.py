"""The cost of a page in Redis does not depend on the number of orders and products."""

import httpx

from tests.query_service.shop import Shop

PATHS = (
    *("/v1/orders?limit=10", "/v1/orders?status=placed&limit=10", "/v1/users?limit=10"),
    *("/v1/products?limit=10", "/v1/products?q=cha&limit=10", "/v1/dashboard"),
)


async def test_three_times_as_many_documents_do_not_increase_the_cost_of_a_page(
    queries: httpx.AsyncClient, shop: Shop
) -> None:
    await _fill(shop, 250)
    few = {path: await _keys_read(queries, shop, path) for path in PATHS}
    await _fill(shop, 500)
    for path in PATHS:
        assert await _keys_read(queries, shop, path) <= few[path] * 1.2 + 20, path


async def _fill(shop: Shop, times: int) -> None:
    for number in range(times):
        customer = await shop.user(email=f"{number}@example.org")
        await shop.order(customer)
        await shop.product(f"Chair {number}", placed=number)


async def _keys_read(queries: httpx.AsyncClient, shop: Shop, path: str) -> float:
    """Keys looked up for one page, including the watcher's: the minimum of several measurements."""
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
