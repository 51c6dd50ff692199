"""Authorization: every operation with every kind of token."""

import pytest

from tests.contract.client import AllTokens
from tests.contract.requests import NAMES, Targets, calls
from tests.contract.response_checks import check_problem
from tests.support.identity import Identity

UW, UR, OW, OR = "users:write", "users:read", "orders:write", "orders:read"
# The scope for the caller's own data, if any, and the unrestricted one.
COMMANDS = {
    "CreateUser": (None, f"{UW}:all"),
    "UpdateUserName": (UW, f"{UW}:all"),
    "UpdateUserEmail": (UW, f"{UW}:all"),
    "EraseUser": (UW, f"{UW}:all"),
    "AddProduct": (None, "products:write"),
    "UpdateProductPrice": (None, "products:write"),
    "RestockProduct": (None, "products:write"),
    "RetireProduct": (None, "products:write"),
    "PlaceOrder": (OW, f"{OW}:all"),
    "ShipOrder": (None, f"{OW}:all"),
    "PayOrder": (None, f"{OW}:all"),
    "RefundOrder": (None, f"{OW}:all"),
    "DeliverOrder": (None, f"{OW}:all"),
    "CancelOrder": (OW, f"{OW}:all"),
}
QUERIES = {
    "/v1/users/{user}": (UR, f"{UR}:all"),
    "/v1/users": (None, f"{UR}:all"),
    "/v1/users/{user}/orders": (OR, f"{OR}:all"),
    "/v1/users/{user}/history": (UR, f"{UR}:all"),
    "/v1/products/{product}/history": (None, "products:write"),
    "/v1/orders/{placed}": (OR, f"{OR}:all"),
    "/v1/orders": (None, f"{OR}:all"),
    "/v1/orders/{placed}/history": (OR, f"{OR}:all"),
    "/v1/dashboard": (None, f"{OR}:all"),
    "/v1/projections": (None, f"{OR}:all"),
    "/v1/parked": (None, f"{OR}:all"),
}
PUBLIC = ("/v1/products/{product}", "/v1/products", "/v1/products?q=tea")
OWN_SCOPES = {UW, UR, OW, OR}
ALL_SCOPES = {*OWN_SCOPES, *(f"{scope}:all" for scope in OWN_SCOPES), "products:write"}


async def _command(
    shop: AllTokens, identity: Identity, name: str, targets: Targets, sub: str, scopes: set[str]
) -> int:
    call = calls(targets)[name]
    headers = identity.headers(sub, " ".join(scopes))
    response = await shop.send(call.method, call.path, call.body, **headers)
    if response.status_code == 403:
        check_problem(response, 403, "forbidden")
    if response.status_code == 404:
        check_problem(response, 404, "not-found")
    return response.status_code


@pytest.mark.parametrize("name", NAMES)
async def test_a_command_needs_one_of_its_scopes(
    shop: AllTokens, identity: Identity, name: str
) -> None:
    targets = await Targets.create(shop)
    own, unrestricted_scope = COMMANDS[name]
    sufficient = {scope for scope in (own, unrestricted_scope) if scope is not None}
    assert await _command(shop, identity, name, targets, targets.user, set()) == 403
    assert (
        await _command(shop, identity, name, targets, targets.user, ALL_SCOPES - sufficient) == 403
    )
    assert await _command(shop, identity, name, targets, targets.user, {"nonsense"}) == 403
    if own is not None:
        other = await shop.user()
        status = await _command(shop, identity, name, targets, other, {own})
        assert status == (403 if name == "PlaceOrder" else 404)
        assert await _command(shop, identity, name, targets, targets.user, {own}) in (200, 201)
        targets = await Targets.create(shop)
    assert await _command(shop, identity, name, targets, "another", {unrestricted_scope}) in (
        200,
        201,
    )


@pytest.mark.parametrize("template", QUERIES)
async def test_a_query_needs_one_of_its_scopes(
    shop: AllTokens, identity: Identity, template: str
) -> None:
    targets = await Targets.create(shop)
    path = template.format(user=targets.user, product=targets.product, placed=targets.placed)
    assert (await shop.read(path)).status_code == 200

    async def status(sub: str, scopes: set[str]) -> int:
        response = await shop.read(path, **identity.headers(sub, " ".join(scopes)))
        if response.status_code != 200:
            name = {403: "forbidden", 404: "not-found"}[response.status_code]
            check_problem(response, response.status_code, name)
        return response.status_code

    own, unrestricted_scope = QUERIES[template]
    sufficient = {scope for scope in (own, unrestricted_scope) if scope is not None}
    # Whether users:read includes the list of the caller's own orders is unspecified.
    unspecified = {UR, f"{UR}:all"} if template.endswith("/orders") else set()
    assert await status(targets.user, set()) == 403
    assert await status(targets.user, ALL_SCOPES - sufficient - unspecified) == 403
    assert await status("another", {unrestricted_scope}) == 200
    if own is not None:
        assert await status(targets.user, {own}) == 200
        assert await status(await shop.user(), {own}) == 404


@pytest.mark.parametrize("template", PUBLIC)
async def test_products_need_no_token_and_no_scope(
    shop: AllTokens, identity: Identity, template: str
) -> None:
    path = template.format(product=await shop.product())
    assert (await shop.read(path, **identity.headers("another", ""))).status_code == 200
    status = await _without_token(shop, "GET", shop.query_url + path)
    assert status == 200


async def _without_token(shop: AllTokens, method: str, url: str, body: object = None) -> int:
    request = shop.client.build_request(method, url, json=body)
    del request.headers["Authorization"]
    response = await shop.client.send(request)
    if response.status_code == 401:
        check_problem(response, 401, "unauthorized")
    return response.status_code


async def test_all_other_operations_need_a_token(shop: AllTokens) -> None:
    targets = await Targets.create(shop)
    for call in calls(targets).values():
        url = shop.command_url + call.path
        assert await _without_token(shop, call.method, url, call.body) == 401
    for template in QUERIES:
        path = template.format(user=targets.user, product=targets.product, placed=targets.placed)
        assert await _without_token(shop, "GET", shop.query_url + path) == 401


async def test_a_document_of_another_user_and_a_missing_one_get_the_same_response(
    shop: AllTokens, identity: Identity
) -> None:
    targets = await Targets.create(shop)
    headers = identity.headers(await shop.user(), f"{UR} {OR} {UW} {OW}")
    nowhere = "01890000-0000-7000-8000-000000000000"
    for template in ("/v1/users/{}", "/v1/users/{}/orders", "/v1/users/{}/history"):
        other = await shop.read(template.format(targets.user), **headers)
        missing = await shop.read(template.format(nowhere), **headers)
        assert (other.status_code, other.json()) == (missing.status_code, missing.json())
    for template in ("/v1/orders/{}", "/v1/orders/{}/history"):
        other = await shop.read(template.format(targets.placed), **headers)
        missing = await shop.read(template.format(nowhere), **headers)
        assert (other.status_code, other.json()) == (missing.status_code, missing.json())
