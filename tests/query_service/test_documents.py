"""Documents by id."""

import httpx
import pytest

from shared.contracts.events import ProductRetired, UserErased, UserRenamed
from shared.contracts.tokens import parse_token
from tests.query_service.shop import Shop


async def test_an_order_is_answered_to_the_field(shop: Shop, queries: httpx.AsyncClient) -> None:
    customer = await shop.user()
    order = await shop.order(customer)
    answer = await queries.get(f"/v1/orders/{order}")
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
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
        "placed_at": "2026-03-01T09:30:00.125Z",
        "shipped_at": None,
        "delivered_at": None,
        "cancelled_at": None,
        "version": 1,
        "updated_at": "2026-03-01T09:30:00.125Z",
    }


async def test_a_user_is_answered_to_the_field(shop: Shop, queries: httpx.AsyncClient) -> None:
    user = await shop.user()
    answer = await queries.get(f"/v1/users/{user}")
    assert answer.json() == {
        "id": user,
        "name": "Ada",
        "email": "ada@example.org",
        "version": 1,
        "created_at": "2026-03-01T09:30:00.125Z",
        "updated_at": "2026-03-01T09:30:00.125Z",
    }
    assert answer.headers["cache-control"] == "private, no-cache"


async def test_a_product_is_answered_to_the_field_without_a_token(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    product = await shop.product("Chair", "Red.", stock=3)
    del queries.headers["authorization"]
    answer = await queries.get(f"/v1/products/{product}")
    assert answer.json() == {
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
    assert answer.headers["cache-control"] == "no-cache"


async def test_a_retired_product_is_still_there(shop: Shop, queries: httpx.AsyncClient) -> None:
    product = await shop.product()
    await shop.happens(ProductRetired(id=product, version=2))
    answer = await queries.get(f"/v1/products/{product}")
    assert (answer.json()["status"], answer.headers["etag"]) == ("retired", '"2"')


async def test_an_erased_user_is_gone(shop: Shop, queries: httpx.AsyncClient) -> None:
    user = await shop.user()
    await shop.happens(UserErased(id=user, version=2))
    for path in (f"/v1/users/{user}", f"/v1/users/{user}/orders", f"/v1/users/{user}/history"):
        assert (await queries.get(path)).status_code == 404


@pytest.mark.parametrize("topic", ["users", "products", "orders"])
async def test_what_is_not_there_is_404_with_a_token(
    shop: Shop, queries: httpx.AsyncClient, topic: str
) -> None:
    id = shop.new_id()
    answer = await queries.get(f"/v1/{topic}/{id}")
    assert answer.status_code == 404
    assert answer.json()["type"].endswith("/not-found")
    assert "no-cache" in answer.headers["cache-control"]
    [shard] = parse_token(answer.headers["consistency-token"], 12)
    assert shard.startswith(topic)


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/users/1", "/v1/products/x", "/v1/orders/0199-0", "/v1/users/1/orders"),
        *("/v1/users/1/history", "/v1/products/1/history", "/v1/orders/1/history"),
    ],
)
async def test_a_path_id_that_is_no_uuid_is_404(
    shop: Shop, queries: httpx.AsyncClient, path: str
) -> None:
    assert (await queries.get(path)).status_code == 404


async def test_an_upper_case_id_is_the_same_id(shop: Shop, queries: httpx.AsyncClient) -> None:
    product = await shop.product()
    answer = await queries.get(f"/v1/products/{product.upper()}")
    assert answer.json()["id"] == product


async def test_head_works_as_get(shop: Shop, queries: httpx.AsyncClient) -> None:
    product = await shop.product()
    got, headed = [
        await queries.request(method, f"/v1/products/{product}") for method in ("GET", "HEAD")
    ]
    assert headed.status_code == 200
    assert headed.content == b""
    assert headed.headers == got.headers


@pytest.mark.parametrize("held", ['"1"', 'W/"1"', '"0", "1"', "*", '"a,b" , W/"1"'])
async def test_a_version_that_the_client_holds_is_304(
    shop: Shop, queries: httpx.AsyncClient, held: str
) -> None:
    user = await shop.user()
    answer = await queries.get(f"/v1/users/{user}", headers={"If-None-Match": held})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["consistency-token"]


@pytest.mark.parametrize("held", ['"2"', "1", '"11"', "", "W/1"])
async def test_another_version_is_answered(
    shop: Shop, queries: httpx.AsyncClient, held: str
) -> None:
    user = await shop.user()
    answer = await queries.get(f"/v1/users/{user}", headers={"If-None-Match": held})
    assert (answer.status_code, answer.json()["version"]) == (200, 1)


async def test_a_change_is_seen_by_who_held_the_version_before(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    await shop.happens(UserRenamed(id=user, version=2, name="Ada L."))
    answer = await queries.get(f"/v1/users/{user}", headers={"If-None-Match": '"1"'})
    assert (answer.status_code, answer.json()["name"]) == (200, "Ada L.")


async def test_the_api_documents_every_query(queries: httpx.AsyncClient) -> None:
    document = (await queries.get("/openapi.json")).json()
    assert sorted(document["paths"]) == [
        "/v1/dashboard",
        "/v1/orders",
        "/v1/orders/{id}",
        "/v1/orders/{id}/history",
        "/v1/products",
        "/v1/products/{id}",
        "/v1/products/{id}/history",
        "/v1/projections",
        "/v1/users",
        "/v1/users/{id}",
        "/v1/users/{id}/history",
        "/v1/users/{id}/orders",
    ]
    answers = document["paths"]["/v1/orders/{id}"]["get"]["responses"]
    assert {"200", "304", "400", "401", "403", "404", "412", "429", "503"} <= set(answers)
    assert (await queries.get("/docs")).status_code == 200


async def test_it_measures_itself(shop: Shop, queries: httpx.AsyncClient) -> None:
    await queries.get(f"/v1/products/{await shop.product()}")
    text = (await queries.get("/metrics")).text
    assert 'http_request_duration_seconds_count{operation="GetProduct",status="2xx"} 1.0' in text
    assert "tandem_waiting_reads 0.0" in text
    assert "tandem_read_batch_keys_count" in text
