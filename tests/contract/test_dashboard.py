"""Every field of the dashboard, and the positions of the projections."""

from typing import Any

import pytest

from tests.contract.client import AllTokens
from tests.contract.response_checks import document
from tests.support.waiting import until

LABEL = {"carrier": "Post", "tracking_number": "1"}


async def _dashboard(shop: AllTokens) -> dict[str, Any]:
    found = await document(shop, "/v1/dashboard")
    assert set(found) == {
        *("orders", "revenue", "by_day", "payments"),
        *("users", "products", "sold_out"),
    }
    assert set(found["payments"]) == {"due", "paid", "overdue", "refund_due", "refunded"}
    counts = dict(found["orders"])
    assert counts.pop("total") == sum(counts.values())
    assert set(counts) == {"placed", "shipped", "delivered", "cancelled"}
    for entry in found["revenue"]:
        assert set(entry) == {"currency", "amount", "orders", "average"}
        half_up = (2 * entry["amount"] + entry["orders"]) // (2 * entry["orders"])
        assert entry["average"] == half_up
    days = [day["date"] for day in found["by_day"]]
    assert days == sorted(set(days), reverse=True)
    for day in found["by_day"]:
        assert set(day) == {"date", "orders", "revenue"}
        assert all(set(entry) == {"currency", "amount"} for entry in day["revenue"])
    assert sum(e["orders"] for e in found["revenue"]) == sum(d["orders"] for d in found["by_day"])
    assert sum(d["orders"] for d in found["by_day"]) == sum(counts.values()) - counts["cancelled"]
    return found


def _revenue(dashboard: dict[str, Any], currency: str) -> list[dict[str, Any]]:
    return [entry for entry in dashboard["revenue"] if entry["currency"] == currency]


def _days(dashboard: dict[str, Any], currency: str) -> dict[str, int]:
    return {
        day["date"]: entry["amount"]
        for day in dashboard["by_day"]
        for entry in day["revenue"]
        if entry["currency"] == currency
    }


async def _product(shop: AllTokens, amount: int, currency: str, stock: int = 100) -> str:
    price = {"amount": amount, "currency": currency}
    body = {"name": "Tea", "description": "", "price": price, "stock": stock}
    return str((await shop.send("POST", "/v1/products", body)).json()["id"])


async def test_orders_are_counted_by_status_and_revenue_excludes_cancelled_ones(
    shop: AllTokens,
) -> None:
    before = await _dashboard(shop)
    assert not _revenue(before, "ISK")
    user, product = await shop.user(), await _product(shop, 100, "ISK")
    ids = [(await shop.order(user, (product, n))).json()["id"] for n in (1, 2, 3, 4)]
    for id in ids[:2]:
        await shop.send("POST", f"/v1/orders/{id}/ship", LABEL)
    await shop.send("POST", f"/v1/orders/{ids[0]}/deliver")
    await shop.send("POST", f"/v1/orders/{ids[3]}/cancel", {"reason": "late"})
    after = await _dashboard(shop)
    added = {name: after["orders"][name] - before["orders"][name] for name in after["orders"]}
    assert added == {"placed": 1, "shipped": 1, "delivered": 1, "cancelled": 1, "total": 4}
    expected = {"currency": "ISK", "amount": 600, "orders": 3, "average": 200}
    assert _revenue(after, "ISK") == [expected]
    day = (await document(shop, f"/v1/orders/{ids[2]}"))["placed_at"][:10]
    assert _days(after, "ISK") == {day: 600}
    assert (after["users"], after["products"]) == (before["users"] + 1, before["products"] + 1)


@pytest.mark.parametrize(
    ("currency", "amounts", "average"),
    [
        *[("ALL", (1, 2), 2), ("AMD", (2, 3), 3), ("AWG", (1, 1, 2), 1), ("AOA", (1, 2, 2), 2)],
        *[("AZN", (0,), 0), ("BAM", (0, 1), 1), ("BBD", (1, 0, 0), 0)],
    ],
)
async def test_an_average_is_rounded_half_up(
    shop: AllTokens, currency: str, amounts: tuple[int, ...], average: int
) -> None:
    user = await shop.user()
    for amount in amounts:
        product = await _product(shop, amount, currency)
        assert (await shop.order(user, (product, 1))).status_code == 201
    (entry,) = _revenue(await _dashboard(shop), currency)
    expected = {"amount": sum(amounts), "orders": len(amounts), "average": average}
    assert entry == {"currency": currency, **expected}


async def test_revenue_is_summed_per_currency_and_omits_currencies_without_orders(
    shop: AllTokens,
) -> None:
    user = await shop.user()
    one, other = await _product(shop, 10, "BDT"), await _product(shop, 20, "BGN")
    await shop.order(user, (one, 3))
    id = (await shop.order(user, (other, 1))).json()["id"]
    both = await _dashboard(shop)
    assert _revenue(both, "BDT")[0]["amount"] == 30
    assert _revenue(both, "BGN")[0]["amount"] == 20
    await shop.send("POST", f"/v1/orders/{id}/cancel", {"reason": "late"})
    left = await _dashboard(shop)
    assert _revenue(left, "BDT")[0]["amount"] == 30
    assert not _revenue(left, "BGN")
    assert not _days(left, "BGN")


async def test_sold_out_counts_active_products_without_stock(shop: AllTokens) -> None:
    start = await _dashboard(shop)

    async def changes() -> tuple[int, int]:
        now = await _dashboard(shop)
        products = now["products"] - start["products"]
        return products, now["sold_out"] - start["sold_out"]

    user, product = await shop.user(), await shop.product(stock=2)
    assert await changes() == (1, 0)
    id = (await shop.order(user, (product, 2))).json()["id"]
    assert await changes() == (1, 1)
    await shop.send("POST", f"/v1/orders/{id}/cancel", {"reason": "late"})
    assert await changes() == (1, 0)
    id = (await shop.order(user, (product, 2))).json()["id"]
    await shop.send("POST", f"/v1/products/{product}/restock", {"quantity": 1})
    assert await changes() == (1, 0)
    empty = await shop.product(stock=0)
    assert await changes() == (2, 1)
    await shop.send("DELETE", f"/v1/products/{empty}")
    assert await changes() == (1, 0)
    await shop.order(user, (product, 1))
    assert await changes() == (1, 1)
    await shop.send("DELETE", f"/v1/products/{product}")
    assert await changes() == (0, 0)
    await shop.send("POST", f"/v1/orders/{id}/cancel", {"reason": "late"})
    assert await changes() == (0, 0)


async def test_an_erased_user_is_not_counted_but_its_orders_are(shop: AllTokens) -> None:
    user, product = await shop.user(), await shop.product()
    await shop.order(user, (product, 1))
    before = await _dashboard(shop)
    await shop.send("DELETE", f"/v1/users/{user}")
    after = await _dashboard(shop)
    assert after["users"] == before["users"] - 1
    assert after["orders"] == before["orders"]
    assert after["revenue"] == before["revenue"]


async def test_projections_list_every_shard_and_catch_up(shop: AllTokens) -> None:
    await shop.user()

    async def caught_up() -> bool:
        found = await document(shop, "/v1/projections")
        assert set(found) == {"shards", "lag", "age_seconds"}
        names = [shard["shard"] for shard in found["shards"]]
        topics = ("users", "products", "orders")
        assert sorted(names) == sorted(f"{t}.{n}" for t in topics for n in range(12))
        for shard in found["shards"]:
            assert set(shard) == {"shard", "position", "head", "lag", "age_seconds", "parked"}
            assert shard["lag"] == max(0, shard["head"] - shard["position"])
            assert shard["parked"] in (0, [], False)
            assert shard["age_seconds"] >= 0
        assert found["lag"] == sum(shard["lag"] for shard in found["shards"])
        assert found["age_seconds"] == max(shard["age_seconds"] for shard in found["shards"])
        heads = sum(shard["head"] for shard in found["shards"])
        return bool(heads > 0 and found["lag"] == 0 and found["age_seconds"] < 10)

    await until(caught_up, "the views are caught up")
