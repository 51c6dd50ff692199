"""History: every field of an aggregate's events, oldest first."""

from typing import Any

from tests.contract.client import AllTokens
from tests.contract.requests import new_email, order_body
from tests.contract.response_checks import check_problem, document, walk
from tests.support.identity import EVERYTHING, Identity
from tests.support.waiting import until

UNKNOWN_ID = "01890000-0000-7000-8000-000000000000"
EUR = {"amount": 250, "currency": "EUR"}


async def _history(shop: AllTokens, path: str) -> list[tuple[str, Any, int, dict[str, Any]]]:
    items = await walk(shop, f"{path}/history", 2)
    for item in items:
        assert set(item) == {"type", "at", "by", "version", "data"}
        assert item["at"].endswith("Z")
    assert [item["at"] for item in items] == sorted(item["at"] for item in items)
    found = await document(shop, path)
    assert items[-1]["version"] == found["version"]
    assert items[-1]["at"] == found["updated_at"]
    return [(item["type"], item["by"], item["version"], item["data"]) for item in items]


async def test_history_of_a_user(shop: AllTokens, identity: Identity) -> None:
    first, second = new_email(), new_email()
    user = await shop.user("Ada", first)
    own = identity.headers(user, EVERYTHING)
    await shop.send("PUT", f"/v1/users/{user}/name", {"name": "Grace"}, **own)
    await shop.send("PUT", f"/v1/users/{user}/email", {"email": second})
    assert await _history(shop, f"/v1/users/{user}") == [
        ("user.created", "tester", 1, {"name": "Ada", "email": first}),
        ("user.renamed", user, 2, {"name": "Grace"}),
        ("user.email_changed", "tester", 3, {"email": second}),
    ]
    await shop.send("DELETE", f"/v1/users/{user}")
    check_problem(await shop.read(f"/v1/users/{user}/history"), 404, "not-found")


async def test_history_of_a_product(shop: AllTokens) -> None:
    user, product = await shop.user(), await shop.product(stock=5)
    path, price = f"/v1/products/{product}", {"amount": 0, "currency": "JPY"}
    order = (await shop.order(user, (product, 2))).json()["id"]
    await shop.send("PUT", f"{path}/price", {"price": price})
    await shop.send("POST", f"{path}/restock", {"quantity": 7})
    await shop.send("POST", f"/v1/orders/{order}/cancel", {"reason": "late"})
    await shop.send("DELETE", path)
    added = {"name": "Tea", "description": "loose", "price": EUR, "stock": 5}
    moved = {"order_id": order, "quantity": 2}
    assert await _history(shop, path) == [
        ("product.added", "tester", 1, added),
        ("product.reserved", None, 2, {**moved, "stock": 3}),
        ("product.price_changed", "tester", 3, {"price": price}),
        ("product.restocked", "tester", 4, {"quantity": 7, "stock": 10}),
        ("product.released", None, 5, {**moved, "stock": 12}),
        ("product.retired", "tester", 6, {}),
    ]


async def test_history_of_an_order(shop: AllTokens) -> None:
    user, product = await shop.user("Ada"), await shop.product()
    label = {"carrier": "Post", "tracking_number": "X-1"}
    ids = []
    for steps in (
        [("ship", label), ("deliver", None)],
        [("cancel", {"reason": "late"})],
    ):
        body = order_body(user, (product, 2))
        id = (await shop.send("POST", "/v1/orders", body)).json()["id"]
        ids.append(id)
        for step, fields in steps:
            assert (await shop.send("POST", f"/v1/orders/{id}/{step}", fields)).status_code == 200
    line = {"product_id": product, "name": "Tea", "quantity": 2, "unit_price": EUR}
    placed = {
        "customer_id": user,
        "customer_name": "Ada",
        "items": [line],
        "total": {"amount": 500, "currency": "EUR"},
        "shipping_address": "1 Main Street",
        "payment_due_at": None,
    }
    assert await _history(shop, f"/v1/orders/{ids[0]}") == [
        ("order.placed", "tester", 1, placed),
        ("order.shipped", "tester", 2, label),
        ("order.delivered", "tester", 3, {}),
    ]
    assert await _history(shop, f"/v1/orders/{ids[1]}") == [
        ("order.placed", "tester", 1, placed),
        ("order.cancelled", "tester", 2, {"reason": "late"}),
    ]


async def test_history_of_an_order_after_its_customer_was_erased(
    shop: AllTokens, identity: Identity
) -> None:
    user, product = await shop.user("Ada"), await shop.product()
    id = (await shop.order(user, (product, 1))).json()["id"]
    own = identity.headers(user, "users:write")
    assert (await shop.send("DELETE", f"/v1/users/{user}", **own)).status_code == 200

    async def anonymized() -> bool:
        return bool((await document(shop, f"/v1/orders/{id}"))["version"] == 2)

    await until(anonymized, "the order is anonymized", seconds=60)
    placed, last = await _history(shop, f"/v1/orders/{id}")
    assert (placed[0], last[0], last[2:]) == ("order.placed", "order.anonymized", (2, {}))
    assert last[1] == user
    assert placed[3]["customer_name"] is None
    assert placed[3]["shipping_address"] is None
    assert placed[3]["customer_id"] == user
    label = {"carrier": "Post", "tracking_number": "1"}
    shipped = await shop.send("POST", f"/v1/orders/{id}/ship", label)
    assert (shipped.status_code, shipped.json()["version"]) == (200, 3)


async def test_the_history_of_a_missing_aggregate_is_404(shop: AllTokens) -> None:
    await shop.user()
    for kind in ("users", "products", "orders"):
        for id in (UNKNOWN_ID, "nonsense"):
            response = await shop.read(f"/v1/{kind}/{id}/history")
            check_problem(response, 404, "not-found")


async def test_a_long_history_is_read_page_by_page(shop: AllTokens) -> None:
    user = await shop.user()
    for n in range(2, 12):
        await shop.send("PUT", f"/v1/users/{user}/name", {"name": f"name {n}"})
    for limit in (1, 4, 200):
        items = await walk(shop, f"/v1/users/{user}/history", limit)
        assert [item["version"] for item in items] == list(range(1, 12))
