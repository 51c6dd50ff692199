"""Views of several shards that lag behind each other, and those of which nothing is known."""

import time

import httpx
import orjson

from shared.contracts.events import OrderAnonymized, UserCreated, UserErased, UserRenamed
from shared.contracts.shards import all_shards, shard_of
from shared.contracts.views import Head, dashboard_key
from tests.query_service.shop import Shop, token


def now_ms() -> int:
    return int(time.time() * 1000)


async def test_the_orders_of_a_customer_whose_view_lags_are_200_with_the_token_of_an_order(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    customer, users = shop.new_id(), ""
    created = shop.record(UserCreated(id=customer, version=1, name="Ada", email="a@example.org"))
    users = created.shard
    await shop.set_head(users, Head(1, now_ms(), 0))
    order = await shop.order(customer)
    orders = f"/v1/users/{customer}/orders"
    of_order = token(shop.log[shard_of("orders", order, 12)][-1])
    assert (await queries.get(orders)).status_code == 404
    response = await queries.get(orders, headers={"Consistency-Token": of_order})
    assert [item["id"] for item in response.json()["items"]] == [order]
    # The token may cover the erasure of the customer.
    both = {"Consistency-Token": f"{of_order};{users}:0"}
    assert (await queries.get(orders, headers=both)).status_code == 503
    await shop.fold(created)
    assert (await queries.get(orders, headers=both)).status_code == 200


async def test_the_orders_of_an_erased_customer_are_404_with_the_token_of_an_order(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    customer = await shop.user()
    order = await shop.order(customer)
    headers = {"Consistency-Token": token(shop.log[shard_of("orders", order, 12)][-1])}
    orders = f"/v1/users/{customer}/orders"
    assert (await queries.get(orders, headers=headers)).status_code == 200
    erased = await shop.apply(UserErased(id=customer, version=2))
    users = shard_of("users", customer, 12)
    await shop.set_head(users, Head(2, now_ms(), now_ms()))
    assert (await queries.get(orders, headers=headers)).status_code == 404
    await shop.set_head(users, Head(2, 0, 0))
    await shop.apply(OrderAnonymized(id=order, version=2))
    assert (await queries.get(orders, headers=headers)).status_code == 404
    both = {"Consistency-Token": f"{headers['Consistency-Token']},{erased}"}
    assert (await queries.get(orders, headers=both)).status_code == 404


async def test_the_orders_of_an_unknown_customer_are_404_with_the_token_of_an_order(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    order = await shop.order(await shop.user())
    record = shop.log[shard_of("orders", order, 12)][-1]
    response = await queries.get(
        f"/v1/users/{shop.new_id()}/orders", headers={"Consistency-Token": token(record)}
    )
    assert response.status_code == 404


async def test_an_erased_user_is_not_shown_while_its_erasure_is_not_folded(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    """As when the views catch up after the erasure has removed the personal data of the events."""
    kept, user = await shop.user(), shop.new_id()
    states: list[UserCreated | UserRenamed] = [
        UserCreated(id=user, version=1, name=None, email=None),
        UserRenamed(id=user, version=2, name=None),
    ]
    for event in states:
        of_event = await shop.apply(event)
        for headers in ({}, {"Consistency-Token": of_event}):
            for path in (f"/v1/users/{user}", f"/v1/users/{user}/history"):
                assert (await queries.get(path, headers=headers)).status_code == 404, path
            assert (await queries.get(f"/v1/users/{user}/orders")).status_code == 404
            items = (await queries.get("/v1/users", headers=headers)).json()["items"]
            assert [item["id"] for item in items] == [kept]
    await shop.apply(UserErased(id=user, version=3))
    assert (await queries.get(f"/v1/users/{user}")).status_code == 404


async def test_a_shard_whose_head_no_projector_observes_has_a_lag(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    stale = shard_of("users", user, 12)
    for shard in all_shards(12):
        await shop.set_head(shard, Head(0, now_ms(), now_ms()))
    await shop.set_head(stale, Head(1, now_ms() - 60_000, now_ms() - 60_000))
    found = (await queries.get("/v1/projections")).json()
    lags = {shard["shard"]: shard["lag"] for shard in found["shards"]}
    assert {shard for shard, lag in lags.items() if lag} == {stale}
    assert found["lag"] == 1
    await shop.set_head(stale, Head(1, now_ms(), now_ms()))
    assert (await queries.get("/v1/projections")).json()["lag"] == 0


async def test_the_dashboard_has_sums_beyond_64_bits(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    customer = await shop.user()
    today = time.strftime("%Y-%m-%dT00:00:00.000Z", time.gmtime())
    large = 2**64 - 7
    for amount in (large, large, 5):
        await shop.order(customer, amount=amount, time=today)
    await shop.order(await shop.user(), amount=large, time=today)
    response = await queries.get("/v1/dashboard")
    assert response.status_code == 200
    (revenue,) = response.json()["revenue"]
    assert revenue["amount"] == 3 * large + 5
    assert response.json()["by_day"][0]["revenue"] == [{"currency": "EUR", "amount": 3 * large + 5}]
    stored = await shop.admin.get(dashboard_key(shard_of("orders", customer, 12)))
    assert b"e+" not in (stored or b"")


async def test_an_order_dated_ahead_does_not_empty_the_days_of_the_dashboard(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    customer = await shop.user()
    today = time.strftime("%Y-%m-%d", time.gmtime())
    ahead = f"{int(today[:4]) + 1}-06-01T00:00:00.000Z"
    for at in (f"{today}T00:00:00.000Z", ahead, f"{today}T00:00:01.000Z"):
        await shop.order(customer, time=at)
    days = (await queries.get("/v1/dashboard")).json()["by_day"]
    assert [(day["date"], day["orders"]) for day in days] == [(today, 2)]


async def test_a_part_of_an_earlier_version_is_read(shop: Shop, queries: httpx.AsyncClient) -> None:
    customer = await shop.user()
    today = time.strftime("%Y-%m-%d", time.gmtime())
    order = await shop.order(customer, time=f"{today}T00:00:00.000Z")
    key = dashboard_key(shard_of("orders", order, 12))
    part = orjson.loads(await shop.admin.get(key) or b"")
    assert part.keys() == {"statuses", "payments", "revenue", "by_day", "latest_day"}
    assert (await queries.get("/v1/dashboard")).json()["by_day"][0]["orders"] == 1
