"""GetDashboard and GetProjections."""

import time
from datetime import UTC, datetime, timedelta

import httpx

from shared.contracts.events import ProductRetired, UserErased
from shared.contracts.shards import all_shards, shard_of
from shared.contracts.tokens import parse_token
from shared.contracts.views import Head, checkpoint_key
from tests.query_service.shop import Shop


def on(days_ago: int) -> str:
    day = datetime.now(UTC) - timedelta(days=days_ago)
    return f"{day.date()}T12:00:00.000Z"


async def test_the_dashboard_is_the_sum_over_all_shards(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    users = [await shop.user() for _ in range(6)]
    await shop.apply(UserErased(id=users[5], version=2))
    products = [await shop.product(stock=stock) for stock in (0, 1, 0, 0)]
    await shop.apply(ProductRetired(id=products[0], version=2))
    for amount, days_ago in ((1, 0), (2, 0), (2, 1), (100, 29), (1000, 30)):
        await shop.order(users[amount % 5], amount, time=on(days_ago))
    await shop.order(users[1], 7, "CHF", time=on(0))
    await shop.ship(await shop.order(users[2], 10, "CHF", time=on(1)))
    await shop.cancel(await shop.order(users[3], 5000, "USD", time=on(2)))
    response = await queries.get("/v1/dashboard")
    assert response.json() == {
        "orders": {"placed": 6, "shipped": 1, "delivered": 0, "cancelled": 1, "total": 8},
        "revenue": [
            {"currency": "CHF", "amount": 17, "orders": 2, "average": 9},
            {"currency": "EUR", "amount": 1105, "orders": 5, "average": 221},
        ],
        "by_day": [
            {
                "date": on(0)[:10],
                "orders": 3,
                "revenue": [
                    {"currency": "CHF", "amount": 7},
                    {"currency": "EUR", "amount": 3},
                ],
            },
            {
                "date": on(1)[:10],
                "orders": 2,
                "revenue": [
                    {"currency": "CHF", "amount": 10},
                    {"currency": "EUR", "amount": 2},
                ],
            },
            {
                "date": on(29)[:10],
                "orders": 1,
                "revenue": [{"currency": "EUR", "amount": 100}],
            },
        ],
        "payments": {"due": 0, "paid": 0, "overdue": 0, "refund_due": 0, "refunded": 0},
        "users": 5,
        "products": 3,
        "sold_out": 2,
    }
    assert "etag" not in response.headers
    assert response.headers["cache-control"] == "private, no-cache"
    assert set(parse_token(response.headers["consistency-token"], 12)) == set(all_shards(12))


async def test_projections_have_lag_and_age(shop: Shop, queries: httpx.AsyncClient) -> None:
    now = int(time.time() * 1000)
    for shard in all_shards(12):
        await shop.set_head(shard, Head(0, now, now))
    user = await shop.user()
    shard = shard_of("users", user, 12)
    await shop.set_head(shard, Head(5, now, now - 7000))
    response = await queries.get("/v1/projections")
    found = response.json()
    assert [entry["shard"] for entry in found["shards"]] == all_shards(12)
    entry = next(entry for entry in found["shards"] if entry["shard"] == shard)
    age = entry.pop("age_seconds")
    assert entry == {"shard": shard, "position": 1, "head": 5, "lag": 4, "parked": 0}
    assert 7 <= age < 12
    assert (found["lag"], found["age_seconds"]) == (4, age)
    metrics = (await queries.get("/metrics")).text
    assert "tandem_projection_age_seconds" in metrics


async def test_a_view_ahead_of_the_last_observed_head_has_no_lag(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    shard = shard_of("users", user, 12)
    now = int(time.time() * 1000)
    await shop.set_head(shard, Head(0, now, now + 60_000))
    found = (await queries.get("/v1/projections")).json()["shards"]
    entry = next(entry for entry in found if entry["shard"] == shard)
    assert (entry["head"], entry["lag"], entry["age_seconds"]) == (1, 0, 0)


async def test_projections_with_missing_views_are_200_but_503_if_the_token_names_them(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    now = int(time.time() * 1000)
    for shard in all_shards(12)[:-1]:
        await shop.set_head(shard, Head(9 if shard == "users.3" else 0, now, now))
    await shop.admin.delete(checkpoint_key("users.3"))
    response = await queries.get("/v1/projections")
    found = response.json()
    assert response.status_code == 200
    assert (found["lag"], found["age_seconds"]) == (10, None)  # the last shard has no head
    entry = next(entry for entry in found["shards"] if entry["shard"] == "users.3")
    assert (entry["position"], entry["head"], entry["lag"]) == (0, 9, 9)
    for token, status in (("users.3:0", 503), ("users.4:0", 200)):
        response = await queries.get("/v1/projections", headers={"Consistency-Token": token})
        assert response.status_code == status
