"""Lists, merged from all shards."""

import httpx
import pytest

from shared.contracts.events import ProductRetired, UserErased
from shared.contracts.tokens import parse_token
from tests.query_service.pagination import ids, read_all_pages
from tests.query_service.shop import Shop


async def test_users_of_all_shards_are_listed_newest_first(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    users = [await shop.user(email=f"{i}@example.org") for i in range(30)]
    response = await queries.get("/v1/users")
    page = response.json()
    assert ids(page["items"]) == users[::-1]
    assert page["next"] is None
    assert response.headers["cache-control"] == "private, no-cache"
    assert "etag" not in response.headers
    one = await queries.get(f"/v1/users/{users[7]}")
    assert page["items"][-8] == one.json()
    assert set(parse_token(response.headers["consistency-token"], 12)) == {
        f"users.{i}" for i in range(12)
    }


@pytest.mark.parametrize("limit", [1, 7, 30, 31, 200])
async def test_a_traversal_returns_every_item_once(
    shop: Shop, queries: httpx.AsyncClient, limit: int
) -> None:
    users = [await shop.user() for _ in range(30)]
    assert ids(await read_all_pages(queries, "/v1/users", limit)) == users[::-1]


async def test_a_full_last_page_has_no_next(shop: Shop, queries: httpx.AsyncClient) -> None:
    for _ in range(4):
        await shop.user()
    pages = [await queries.get("/v1/users", params={"limit": 2})]
    pages.append(
        await queries.get("/v1/users", params={"limit": 2, "cursor": pages[0].json()["next"]})
    )
    assert pages[0].json()["next"]
    assert pages[1].json()["next"] is None


async def test_the_default_limit_is_fifty(shop: Shop, queries: httpx.AsyncClient) -> None:
    for _ in range(51):
        await shop.product()
    page = (await queries.get("/v1/products")).json()
    assert (len(page["items"]), page["next"] is None) == (50, False)


async def test_permanent_items_are_returned_exactly_once_while_others_are_added_and_removed(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    stay = [await shop.product(f"stays {i}") for i in range(40)]
    leave = [await shop.product(f"leaves {i}") for i in range(20)]

    async def change_others() -> None:
        await shop.product("new")
        if leave:
            await shop.apply(ProductRetired(id=leave.pop(), version=2))

    for parameters in ({}, {"q": "stays"}):
        found = ids(
            await read_all_pages(queries, "/v1/products", 3, between=change_others, **parameters)
        )
        assert len(found) == len(set(found))
        assert [id for id in found if id in set(stay)] == stay[::-1]


async def test_orders_are_listed_by_status(shop: Shop, queries: httpx.AsyncClient) -> None:
    orders = [await shop.order(await shop.user()) for _ in range(12)]
    for order in orders[::3]:
        await shop.ship(order)
    for order in orders[1::3]:
        await shop.cancel(order)
    assert ids(await read_all_pages(queries, "/v1/orders", 5)) == orders[::-1]
    for status, expected in (
        ("shipped", orders[::3]),
        ("cancelled", orders[1::3]),
        ("placed", orders[2::3]),
        ("delivered", []),
    ):
        found = await read_all_pages(queries, "/v1/orders", 3, status=status)
        assert ids(found) == expected[::-1]
        assert {order["status"] for order in found} <= {status}


async def test_a_customers_orders_exclude_those_of_others(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    first, second = await shop.user(), await shop.user()
    orders = [await shop.order(first) for _ in range(5)]
    await shop.order(second)
    assert ids(await read_all_pages(queries, f"/v1/users/{first}/orders", 2)) == orders[::-1]
    assert (
        ids(await read_all_pages(queries, f"/v1/users/{first.upper()}/orders", 2)) == orders[::-1]
    )
    third = await shop.user()
    response = await queries.get(f"/v1/users/{third}/orders")
    assert (response.status_code, response.json()) == (200, {"items": [], "next": None})
    read = set(parse_token(response.headers["consistency-token"], 12))
    assert {shard.partition(".")[0] for shard in read} == {"users", "orders"}


async def test_the_orders_of_an_unknown_user_are_404(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    assert (await queries.get(f"/v1/users/{shop.new_id()}/orders")).status_code == 404


async def test_erased_users_and_retired_products_are_not_listed(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user, product = await shop.user(), await shop.product()
    await shop.apply(UserErased(id=user, version=2))
    await shop.apply(ProductRetired(id=product, version=2))
    for path in ("/v1/users", "/v1/products", "/v1/products?q=chair"):
        assert (await queries.get(path)).json()["items"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *(("limit=0", "/limit"), ("limit=201", "/limit"), ("limit=x", "/limit")),
        *(("limit=", "/limit"), ("limit=-1", "/limit"), ("limit=1.0", "/limit")),
        *(("limit=%D9%A1", "/limit"), ("limit=1&limit=2", "/limit"), ("cursor=", "/cursor")),
        *(("cursor=x", "/cursor"), ("cursor=%00", "/cursor"), ("cursor=AAAA", "/cursor")),
    ],
)
async def test_an_invalid_parameter_is_422_with_its_pointer(
    shop: Shop, queries: httpx.AsyncClient, query: str, field: str
) -> None:
    user, product = await shop.user(), await shop.product()
    lists = ("/v1/users", "/v1/orders", "/v1/products", f"/v1/users/{user}/orders")
    for path in (*lists, f"/v1/users/{user}/history", f"/v1/products/{product}/history"):
        response = await queries.get(f"{path}?{query}")
        assert response.status_code == 422, path
        problem = response.json()
        assert problem["type"].endswith("/invalid-field")
        assert [error["field"] for error in problem["errors"]] == [field]


@pytest.mark.parametrize("status", ["", "lost", "Placed", "placed,shipped"])
async def test_an_invalid_status_is_422(
    shop: Shop, queries: httpx.AsyncClient, status: str
) -> None:
    response = await queries.get("/v1/orders", params={"status": status})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "/status"


async def test_unknown_parameters_are_ignored(shop: Shop, queries: httpx.AsyncClient) -> None:
    assert (await queries.get("/v1/users?a=1&a=2&status=lost")).status_code == 200


async def test_a_cursor_of_another_list_and_a_changed_cursor_are_422(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    for _ in range(3):
        await shop.order(await shop.user())
        await shop.product()
    cursor = (await queries.get("/v1/orders?limit=1")).json()["next"]
    assert (await queries.get(f"/v1/orders?limit=1&cursor={cursor}")).status_code == 200
    changed = [cursor[:place] + "-" + cursor[place + 1 :] for place in range(len(cursor))]
    foreign = [
        *(f"/v1/users?cursor={cursor}", f"/v1/orders?status=placed&cursor={cursor}"),
        *(f"/v1/products?cursor={cursor}", f"/v1/products?q=chair&cursor={cursor}"),
    ]
    longer = [f"/v1/orders?cursor={cursor}{more}" for more in ("A", "==", " ", "A" * 500)]
    changes = [f"/v1/orders?cursor={text}" for text in changed if text != cursor]
    for path in (*foreign, *longer, *changes):
        assert (await queries.get(path)).status_code == 422, path
