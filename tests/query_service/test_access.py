"""Access rules of queries."""

import httpx
import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from tests.query_service.shop import Shop
from tests.support.headers import without_date
from tests.support.identity import Identity
from tests.support.servers import Valkey

ALL = "users:read:all orders:read:all products:write"
OWN = "users:read orders:read"
STRANGER = "0199a000-0000-7000-8000-00000000beef"

# The path, then the status for: no token, the owner, another user with the same scopes, a caller
# with the unrestricted scopes, a caller with unrelated scopes.
MATRIX = [
    ("/v1/users/{user}", 401, 200, 404, 200, 403),
    ("/v1/users/{user}/orders", 401, 200, 404, 200, 403),
    ("/v1/users/{user}/history", 401, 200, 404, 200, 403),
    ("/v1/orders/{order}", 401, 200, 404, 200, 403),
    ("/v1/orders/{order}/history", 401, 200, 404, 200, 403),
    ("/v1/products/{product}/history", 401, 403, 403, 200, 403),
    ("/v1/users", 401, 403, 403, 200, 403),
    ("/v1/orders", 401, 403, 403, 200, 403),
    ("/v1/dashboard", 401, 403, 403, 200, 403),
    ("/v1/projections", 401, 403, 403, 200, 403),
    ("/v1/parked", 401, 403, 403, 200, 403),
    ("/v1/products/{product}", 200, 200, 200, 200, 200),
    ("/v1/products", 200, 200, 200, 200, 200),
    ("/v1/products?q=ch", 200, 200, 200, 200, 200),
]


@pytest.mark.parametrize(("path", "anonymous", "owner", "stranger", "all_", "unrelated"), MATRIX)
async def test_each_caller_gets_the_status_of_the_matrix(
    shop: Shop,
    queries: httpx.AsyncClient,
    identity: Identity,
    path: str,
    anonymous: int,
    owner: int,
    stranger: int,
    all_: int,
    unrelated: int,
) -> None:
    user = await shop.user()
    order, product = await shop.order(user), await shop.product()
    path = path.format(user=user, order=order, product=product)
    del queries.headers["authorization"]
    cases = [
        ({}, anonymous),
        (identity.headers(user, OWN), owner),
        (identity.headers(STRANGER, OWN), stranger),
        (identity.headers("an-operator", ALL), all_),
        (identity.headers(user, "orders:write users:write"), unrelated),
        ({"Authorization": "Bearer nonsense"}, 401),
    ]
    for headers, status in cases:
        response = await queries.get(path, headers=headers)
        assert response.status_code == status, headers
        if status in (401, 403):
            assert response.headers["www-authenticate"].startswith("Bearer")
        if status in (200, 404):
            private = anonymous != 200
            expected = "private, no-cache" if private else "no-cache"
            assert response.headers["cache-control"] == expected


async def test_another_users_document_and_a_missing_one_get_the_same_response(
    shop: Shop, queries: httpx.AsyncClient, identity: Identity
) -> None:
    user = await shop.user()
    order = await shop.order(user)
    unknown = shop.new_id(int(order[-3:], 16))
    stranger = identity.headers(STRANGER, OWN)
    anothers = await queries.get(f"/v1/orders/{order}", headers=stranger)
    missing = await queries.get(f"/v1/orders/{unknown}", headers=stranger)
    assert (anothers.status_code, anothers.content) == (404, missing.content)
    assert without_date(anothers) == without_date(missing)


async def test_if_none_match_on_another_users_document_is_404_not_304(
    shop: Shop, queries: httpx.AsyncClient, identity: Identity
) -> None:
    user = await shop.user()
    headers = {**identity.headers(STRANGER, OWN), "If-None-Match": "*"}
    assert (await queries.get(f"/v1/users/{user}", headers=headers)).status_code == 404


async def test_scopes_for_users_and_orders_are_independent(
    shop: Shop, queries: httpx.AsyncClient, identity: Identity
) -> None:
    user = await shop.user()
    order = await shop.order(user)
    users_only = identity.headers(user, "users:read users:read:all")
    for path in (f"/v1/orders/{order}", f"/v1/users/{user}/orders", "/v1/orders"):
        assert (await queries.get(path, headers=users_only)).status_code == 403
    orders_only = identity.headers(user, "orders:read orders:read:all")
    for path in (f"/v1/users/{user}", f"/v1/users/{user}/history", "/v1/users"):
        assert (await queries.get(path, headers=orders_only)).status_code == 403


async def test_the_redis_role_cannot_write(shop: Shop, valkey: Valkey) -> None:
    async with Redis.from_url(valkey.url("tandem_query_service")) as client:
        with pytest.raises(NoPermissionError):
            await client.set("{users.0}:checkpoint", "1")
        with pytest.raises(NoPermissionError):
            await client.flushall()
        with pytest.raises(NoPermissionError):
            await client.get("another key")
