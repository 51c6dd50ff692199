"""Documents by id."""

import httpx
import pytest

from shared.contracts.events import ProductRetired, UserErased, UserRenamed
from shared.contracts.tokens import parse_token
from tests.query_service.shop import Shop
from tests.support.headers import without_date


async def test_an_order_has_exactly_these_fields(shop: Shop, queries: httpx.AsyncClient) -> None:
    customer = await shop.user()
    order = await shop.order(customer)
    response = await queries.get(f"/v1/orders/{order}")
    assert response.status_code == 200
    assert response.headers["etag"] == '"1"'
    assert response.headers["cache-control"] == "private, no-cache"
    assert response.headers["content-type"] == "application/json"
    document = response.json()
    product = document["items"][0].pop("product_id")
    assert len(product) == 36
    money = {"amount": 1250, "currency": "EUR"}
    assert document == {
        "id": order,
        "customer_id": customer,
        "customer_name": "Ada",
        "status": "placed",
        "items": [{"name": "Chair", "quantity": 1, "unit_price": money, "subtotal": money}],
        "item_count": 1,
        "total": money,
        "shipping_address": "1 Main Street",
        "carrier": None,
        "tracking_number": None,
        "cancel_reason": None,
        "payment": {
            "status": "none",
            "due_at": None,
            "paid_at": None,
            "reference": None,
            "refunded_at": None,
            "refund_reference": None,
        },
        "placed_at": "2026-03-01T09:30:00.125Z",
        "shipped_at": None,
        "delivered_at": None,
        "cancelled_at": None,
        "version": 1,
        "updated_at": "2026-03-01T09:30:00.125Z",
    }


async def test_a_user_has_exactly_these_fields(shop: Shop, queries: httpx.AsyncClient) -> None:
    user = await shop.user()
    response = await queries.get(f"/v1/users/{user}")
    assert response.json() == {
        "id": user,
        "name": "Ada",
        "email": "ada@example.org",
        "version": 1,
        "created_at": "2026-03-01T09:30:00.125Z",
        "updated_at": "2026-03-01T09:30:00.125Z",
    }
    assert response.headers["cache-control"] == "private, no-cache"


async def test_a_product_is_public_and_has_exactly_these_fields(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    product = await shop.product("Chair", "Red.", stock=3)
    del queries.headers["authorization"]
    response = await queries.get(f"/v1/products/{product}")
    assert response.json() == {
        "id": product,
        "name": "Chair",
        "description": "Red.",
        "price": {"amount": 1250, "currency": "EUR"},
        "stock": 3,
        "status": "active",
        "version": 1,
        "created_at": "2026-03-01T09:30:00.125Z",
        "updated_at": "2026-03-01T09:30:00.125Z",
    }
    assert response.headers["cache-control"] == "no-cache"


async def test_a_retired_product_can_be_read(shop: Shop, queries: httpx.AsyncClient) -> None:
    product = await shop.product()
    await shop.apply(ProductRetired(id=product, version=2))
    response = await queries.get(f"/v1/products/{product}")
    assert (response.json()["status"], response.headers["etag"]) == ("retired", '"2"')


async def test_an_erased_user_is_404(shop: Shop, queries: httpx.AsyncClient) -> None:
    user = await shop.user()
    await shop.apply(UserErased(id=user, version=2))
    for path in (f"/v1/users/{user}", f"/v1/users/{user}/orders", f"/v1/users/{user}/history"):
        assert (await queries.get(path)).status_code == 404


@pytest.mark.parametrize("topic", ["users", "products", "orders"])
async def test_a_missing_document_is_404_with_a_token(
    shop: Shop, queries: httpx.AsyncClient, topic: str
) -> None:
    id = shop.new_id()
    response = await queries.get(f"/v1/{topic}/{id}")
    assert response.status_code == 404
    assert response.json()["type"].endswith("/not-found")
    assert "no-cache" in response.headers["cache-control"]
    [shard] = parse_token(response.headers["consistency-token"], 12)
    assert shard.startswith(topic)


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/users/1", "/v1/products/x", "/v1/orders/0199-0", "/v1/users/1/orders"),
        *("/v1/users/1/history", "/v1/products/1/history", "/v1/orders/1/history"),
    ],
)
async def test_a_path_id_that_is_not_a_uuid_is_404(
    shop: Shop, queries: httpx.AsyncClient, path: str
) -> None:
    assert (await queries.get(path)).status_code == 404


async def test_ids_are_case_insensitive(shop: Shop, queries: httpx.AsyncClient) -> None:
    product = await shop.product()
    response = await queries.get(f"/v1/products/{product.upper()}")
    assert response.json()["id"] == product


async def test_head_has_the_headers_of_get(shop: Shop, queries: httpx.AsyncClient) -> None:
    product = await shop.product()
    got, headed = [
        await queries.request(method, f"/v1/products/{product}") for method in ("GET", "HEAD")
    ]
    assert headed.status_code == 200
    assert headed.content == b""
    assert without_date(headed) == without_date(got)


@pytest.mark.parametrize("if_none_match", ['"1"', 'W/"1"', '"0", "1"', "*", '"a,b" , W/"1"'])
async def test_a_matching_etag_is_304(
    shop: Shop, queries: httpx.AsyncClient, if_none_match: str
) -> None:
    user = await shop.user()
    response = await queries.get(f"/v1/users/{user}", headers={"If-None-Match": if_none_match})
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == '"1"'
    assert response.headers["cache-control"] == "private, no-cache"
    assert response.headers["consistency-token"]


@pytest.mark.parametrize("if_none_match", ['"2"', "1", '"11"', "", "W/1"])
async def test_another_etag_is_200(
    shop: Shop, queries: httpx.AsyncClient, if_none_match: str
) -> None:
    user = await shop.user()
    response = await queries.get(f"/v1/users/{user}", headers={"If-None-Match": if_none_match})
    assert (response.status_code, response.json()["version"]) == (200, 1)


async def test_the_etag_of_the_previous_version_is_200(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    await shop.apply(UserRenamed(id=user, version=2, name="Ada L."))
    response = await queries.get(f"/v1/users/{user}", headers={"If-None-Match": '"1"'})
    assert (response.status_code, response.json()["name"]) == (200, "Ada L.")


async def test_the_api_documents_every_query(queries: httpx.AsyncClient) -> None:
    document = (await queries.get("/openapi.json")).json()
    assert sorted(document["paths"]) == [
        "/v1/dashboard",
        "/v1/dashboard/stream",
        "/v1/orders",
        "/v1/orders/{id}",
        "/v1/orders/{id}/history",
        "/v1/orders/{id}/stream",
        "/v1/parked",
        "/v1/products",
        "/v1/products/{id}",
        "/v1/products/{id}/history",
        "/v1/projections",
        "/v1/users",
        "/v1/users/{id}",
        "/v1/users/{id}/history",
        "/v1/users/{id}/orders",
        "/v1/users/{id}/stream",
    ]
    responses = document["paths"]["/v1/orders/{id}"]["get"]["responses"]
    assert {"200", "304", "400", "401", "403", "404", "412", "429", "503"} <= set(responses)
    assert (await queries.get("/docs")).status_code == 200


async def test_the_metrics_include_reads(shop: Shop, queries: httpx.AsyncClient) -> None:
    await queries.get(f"/v1/products/{await shop.product()}")
    text = (await queries.get("/metrics")).text
    assert 'http_request_duration_seconds_count{operation="GetProduct",status="2xx"} 1.0' in text
    assert "tandem_waiting_reads 0.0" in text
    assert "tandem_read_batch_keys_count" in text
