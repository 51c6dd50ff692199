"""Parked events: reads whose token covers one get 503, lists return their number."""

import httpx

from shared.contracts.events import OrderShipped, ProductRestocked, UserRenamed
from shared.contracts.shards import shard_of
from tests.query_service.shop import Shop
from tests.support.identity import Identity


def token_headers(token: str) -> dict[str, str]:
    return {"Consistency-Token": token, "Prefer": "wait=0"}


async def test_a_token_at_or_after_a_parked_event_is_503(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    before = f"{shard_of('users', user, 12)}:1"
    parked = await shop.park(shop.record(UserRenamed(id=user, version=2, name="Grace")))
    later = await shop.park(shop.record(UserRenamed(id=user, version=3, name="Hedy")))
    for path in (f"/v1/users/{user}", f"/v1/users/{user}/history", f"/v1/users/{user}/orders"):
        for token, status in ((before, 200), (parked, 503), (later, 503)):
            response = await queries.get(path, headers=token_headers(token))
            assert response.status_code == status, (path, token)
        response = await queries.get(path)
        assert response.status_code == 200
    assert (await queries.get(f"/v1/users/{user}")).json()["name"] == "Ada"


async def test_other_documents_of_the_shard_are_200(shop: Shop, queries: httpx.AsyncClient) -> None:
    first = await shop.product(placed=5)
    second = await shop.product(placed=5)
    event = ProductRestocked(id=first, version=2, quantity=1, stock=6)
    parked = await shop.park(shop.record(event))
    assert (
        await queries.get(f"/v1/products/{first}", headers=token_headers(parked))
    ).status_code == 503
    assert (
        await queries.get(f"/v1/products/{second}", headers=token_headers(parked))
    ).status_code == 200


async def test_a_parked_first_event_is_503_with_its_token_and_404_without(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    id = shop.new_id()
    parked = await shop.park(shop.record(UserRenamed(id=id, version=2, name="Grace")))
    assert (await queries.get(f"/v1/users/{id}", headers=token_headers(parked))).status_code == 503
    assert (await queries.get(f"/v1/users/{id}")).status_code == 404


async def test_another_users_document_with_a_parked_event_is_404(
    shop: Shop, queries: httpx.AsyncClient, identity: Identity
) -> None:
    user = await shop.user()
    parked = await shop.park(shop.record(UserRenamed(id=user, version=2, name="Grace")))
    headers = {**token_headers(parked), **identity.headers("another", "users:read")}
    assert (await queries.get(f"/v1/users/{user}", headers=headers)).status_code == 404


async def test_lists_and_the_dashboard_return_the_number_of_parked_events(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    order = await shop.order(user)
    assert "tandem-parked" not in (await queries.get("/v1/orders")).headers
    for version in (3, 4):
        event = OrderShipped(id=order, version=version, carrier="DHL", tracking_number="1")
        token = await shop.park(shop.record(event))
    for path in ("/v1/orders", f"/v1/users/{user}/orders", "/v1/orders?status=placed"):
        for headers in ({}, token_headers(token)):
            response = await queries.get(path, headers=headers)
            assert (response.status_code, response.headers["tandem-parked"]) == (200, "2")
            assert len(response.json()["items"]) == 1
    assert (await queries.get("/v1/dashboard")).headers["tandem-parked"] == "2"
    assert "tandem-parked" not in (await queries.get("/v1/users")).headers
    shards = (await queries.get("/v1/projections")).json()["shards"]
    assert sum(entry["parked"] for entry in shards) == 2
