"""Lists: newest first, in pages of 1 to 200, each item once over all pages."""

import asyncio

import httpx
import pytest

from tests.contract.client import AllTokens
from tests.contract.requests import new_email
from tests.contract.response_checks import check_problem, document, fields_of, walk

UNKNOWN_ID = "01890000-0000-7000-8000-000000000000"
LABEL = {"carrier": "Post", "tracking_number": "1"}


async def _orders(shop: AllTokens, count: int) -> tuple[str, list[str]]:
    """A customer and ids of that many orders, newest first."""
    user, product = await shop.user(), await shop.product()
    ids = [(await shop.order(user, (product, 1))).json()["id"] for _ in range(count)]
    return user, sorted(ids, reverse=True)


@pytest.mark.parametrize("limit", [1, 3, 7, 200])
async def test_a_customers_orders_are_listed_newest_first_with_any_page_size(
    shop: AllTokens, limit: int
) -> None:
    user, ids = await _orders(shop, 7)
    found = await walk(shop, f"/v1/users/{user}/orders", limit)
    assert [item["id"] for item in found] == ids


async def test_items_equal_the_documents(shop: AllTokens) -> None:
    user, ids = await _orders(shop, 2)
    product = await shop.product()
    for path, list_path in (
        (f"/v1/orders/{ids[0]}", f"/v1/users/{user}/orders"),
        (f"/v1/orders/{ids[1]}", "/v1/orders"),
        (f"/v1/users/{user}", "/v1/users"),
        (f"/v1/products/{product}", "/v1/products"),
    ):
        found = await document(shop, path)
        items = (await document(shop, list_path))["items"]
        assert [item for item in items if item["id"] == found["id"]] == [found]


async def test_lists_over_all_shards_contain_each_item_once_in_descending_order(
    shop: AllTokens,
) -> None:
    created = {
        "/v1/users": [await shop.user() for _ in range(15)],
        "/v1/products": [await shop.product() for _ in range(15)],
        "/v1/orders": (await _orders(shop, 4))[1] + (await _orders(shop, 4))[1],
    }
    for path, ids in created.items():
        for limit in (9, 200):
            found = [item["id"] for item in await walk(shop, path, limit)]
            assert found == sorted(set(found), reverse=True)
            assert set(ids) <= set(found)


async def test_a_page_has_50_items_by_default(shop: AllTokens) -> None:
    email = new_email().split("@")[0]

    async def create(n: int) -> httpx.Response:
        body = {"name": "Ada", "email": f"{n}{email}@example.org"}
        return await shop.send("POST", "/v1/users", body)

    created = await asyncio.gather(*(create(n) for n in range(52)))
    assert {response.status_code for response in created} == {201}
    page = await document(shop, "/v1/users")
    assert len(page["items"]) == 50
    assert page["next"]
    assert len((await document(shop, "/v1/users?limit=200"))["items"]) >= 52


async def test_recent_orders_can_be_filtered_by_status(shop: AllTokens) -> None:
    _, (delivered, shipped, cancelled, placed) = await _orders(shop, 4)
    for id, step, body in (
        (shipped, "ship", LABEL),
        (delivered, "ship", LABEL),
        (delivered, "deliver", None),
        (cancelled, "cancel", {"reason": "late"}),
    ):
        assert (await shop.send("POST", f"/v1/orders/{id}/{step}", body)).status_code == 200
    by_status = {"placed": placed, "shipped": shipped, "delivered": delivered}
    by_status["cancelled"] = cancelled
    remaining = {item["id"] for item in await walk(shop, "/v1/orders", 200)}
    for status, id in by_status.items():
        found = await walk(shop, f"/v1/orders?status={status}", 2)
        ids = [item["id"] for item in found]
        assert {item["status"] for item in found} == {status}
        assert ids == sorted(set(ids), reverse=True)
        assert set(by_status.values()) & set(ids) == {id}
        remaining -= set(ids)
    assert not remaining


async def test_a_walk_during_writes_contains_permanent_matches_exactly_once(
    shop: AllTokens,
) -> None:
    _, ids = await _orders(shop, 12)
    leaving, staying = ids[::2], set(ids[1::2])
    found: list[str] = []
    query = {"status": "placed", "limit": "3"}
    while True:
        page = await document(shop, f"/v1/orders?{httpx.QueryParams(query)}")
        found += [item["id"] for item in page["items"]]
        if page["next"] is None or found[-1] < ids[-1]:
            break
        query["cursor"] = page["next"]
        await _orders(shop, 1)
        if leaving:
            await shop.send("POST", f"/v1/orders/{leaving.pop()}/ship", LABEL)
    assert len(found) == len(set(found))
    assert staying <= set(found)


LISTS = [
    "/v1/users",
    "/v1/products",
    "/v1/products?q=tea",
    "/v1/orders",
    "/v1/orders?status=placed",
    "/v1/users/{user}/orders",
    "/v1/users/{user}/history",
    "/v1/products/{product}/history",
    "/v1/orders/{order}/history",
]


async def test_a_bad_limit_or_cursor_is_422(shop: AllTokens) -> None:
    user, ids = await _orders(shop, 1)
    product = await shop.product()
    for template in LISTS:
        path = template.format(user=user, product=product, order=ids[0])
        join = "&" if "?" in path else "?"
        for limit in ("0", "201", "-1", "x", "1.5", "", "1e1", "%00", "9" * 400, "%D9%A3"):
            response = await shop.read(f"{path}{join}limit={limit}")
            assert fields_of(response) == {"/limit"}, (path, limit)
        for cursor in ("x", "%00", "a" * 3000, "AAAA", "%F0%9F%8D%B5", "e30="):
            response = await shop.read(f"{path}{join}cursor={cursor}")
            assert fields_of(response) == {"/cursor"}, (path, cursor)
        for limit in ("1", "200"):
            assert (await shop.read(f"{path}{join}limit={limit}")).status_code == 200


@pytest.mark.parametrize("status", ["x", "", "PLACED", "placed,shipped", "%00"])
async def test_a_bad_status_is_422(shop: AllTokens, status: str) -> None:
    assert fields_of(await shop.read(f"/v1/orders?status={status}")) == {"/status"}


async def test_a_customer_without_orders_has_an_empty_list_and_a_missing_one_is_404(
    shop: AllTokens,
) -> None:
    user = await shop.user()
    empty = await document(shop, f"/v1/users/{user}/orders")
    assert empty == {"items": [], "next": None}
    check_problem(await shop.read(f"/v1/users/{UNKNOWN_ID}/orders"), 404, "not-found")
    check_problem(await shop.read("/v1/users/nonsense/orders"), 404, "not-found")


async def test_a_cursor_of_another_list_gives_no_500(shop: AllTokens) -> None:
    user, _ = await _orders(shop, 3)
    await shop.product()
    await shop.send("PUT", f"/v1/users/{user}/name", {"name": "B"})
    cursors = {}
    for path in (
        "/v1/users",
        "/v1/orders",
        f"/v1/users/{user}/orders",
        f"/v1/users/{user}/history",
    ):
        cursors[path] = (await document(shop, f"{path}?limit=1"))["next"]
    for path in cursors:
        for cursor in cursors.values():
            response = await shop.read(f"{path}?{httpx.QueryParams({'cursor': cursor})}")
            assert response.status_code in (200, 422)
