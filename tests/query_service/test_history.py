"""Histories."""

import httpx

from shared.contracts.events import (
    OrderAnonymized,
    ProductPriceChanged,
    ProductReserved,
    UserEmailChanged,
    UserRenamed,
)
from shared.contracts.money import Money
from tests.query_service.pagination import read_all_pages
from tests.query_service.shop import Shop

AT = "2026-03-01T09:30:00.125Z"


async def test_the_items_of_a_users_history_have_exactly_these_fields(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    await shop.apply(UserRenamed(id=user, version=2, name="Grace"), actor="an-operator")
    await shop.apply(UserEmailChanged(id=user, version=3, email="g@example.org"), actor=user)
    response = await queries.get(f"/v1/users/{user}/history")
    first = {"name": "Ada", "email": "ada@example.org"}
    assert response.json() == {
        "items": [
            {"type": "user.created", "at": AT, "by": None, "version": 1, "data": first},
            {
                "type": "user.renamed",
                "at": AT,
                "by": "an-operator",
                "version": 2,
                "data": {"name": "Grace"},
            },
            {
                "type": "user.email_changed",
                "at": AT,
                "by": user,
                "version": 3,
                "data": {"email": "g@example.org"},
            },
        ],
        "next": None,
    }
    assert response.headers["cache-control"] == "private, no-cache"


async def test_the_pages_of_a_history_are_oldest_first(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    product = await shop.product()
    for version in range(2, 31):
        money = Money(amount=version, currency="EUR")
        await shop.apply(ProductPriceChanged(id=product, version=version, price=money))
    for limit in (1, 7, 15, 30, 200):
        items = await read_all_pages(queries, f"/v1/products/{product}/history", limit)
        assert [item["version"] for item in items] == list(range(1, 31))


async def test_events_during_a_traversal_are_at_its_end(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    product = await shop.product()
    versions = iter(range(2, 9))

    async def append_event() -> None:
        version = next(versions, None)
        if version:
            event = ProductReserved(
                id=product, version=version, order_id=shop.new_id(), quantity=1, stock=1
            )
            await shop.apply(event)

    await append_event()
    items = await read_all_pages(
        queries, f"/v1/products/{product}/history", 1, between=append_event
    )
    assert [item["version"] for item in items] == list(range(1, 9))
    assert items[1]["by"] is None


async def test_an_anonymized_orders_history_has_null_in_personal_fields(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    customer = await shop.user()
    order = await shop.order(customer)
    await shop.apply(OrderAnonymized(id=order, version=2))
    placed, anonymized = (await queries.get(f"/v1/orders/{order}/history")).json()["items"]
    assert (placed["type"], anonymized["type"]) == ("order.placed", "order.anonymized")
    assert placed["by"] == customer
    assert placed["data"]["customer_name"] is None
    assert placed["data"]["shipping_address"] is None
    assert placed["data"]["total"] == {"amount": 1250, "currency": "EUR"}
    assert anonymized["data"] == {}


async def test_a_cursor_of_another_history_is_422(shop: Shop, queries: httpx.AsyncClient) -> None:
    first, second = await shop.user(), await shop.user()
    for user in (first, second):
        await shop.apply(UserRenamed(id=user, version=2, name="Grace"))
    cursor = (await queries.get(f"/v1/users/{first}/history?limit=1")).json()["next"]
    for path, status in ((first, 200), (second, 422)):
        response = await queries.get(f"/v1/users/{path}/history?cursor={cursor}")
        assert response.status_code == status


async def test_the_history_of_a_missing_aggregate_is_404(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    for topic in ("users", "products", "orders"):
        assert (await queries.get(f"/v1/{topic}/{shop.new_id()}/history")).status_code == 404
