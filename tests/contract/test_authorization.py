"""Who may do what: every operation with every kind of token."""

import pytest

from tests.contract.answers import check_problem
from tests.contract.client import AllTokens
from tests.contract.requests import NAMES, World, calls
from tests.support.identity import Identity

UW, UR, OW, OR = "users:write", "users:read", "orders:write", "orders:read"
# The scopes that reach one's own, if any, and those that reach everybody's.
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
}
PUBLIC = ("/v1/products/{product}", "/v1/products", "/v1/products?q=tea")
NARROW = {UW, UR, OW, OR}
EVERY = {*NARROW, *(f"{scope}:all" for scope in NARROW), "products:write"}


async def _command(
    shop: AllTokens, identity: Identity, name: str, world: World, sub: str, scopes: set[str]
) -> int:
    call = calls(world)[name]
    headers = identity.headers(sub, " ".join(scopes))
    answer = await shop.send(call.method, call.path, call.body, **headers)
    if answer.status_code == 403:
        check_problem(answer, 403, "forbidden")
    if answer.status_code == 404:
        check_problem(answer, 404, "not-found")
    return answer.status_code


@pytest.mark.parametrize("name", NAMES)
async def test_a_command_is_for_those_whose_scope_reaches_it(
    shop: AllTokens, identity: Identity, name: str
) -> None:
    world = await World.make(shop)
    own, unrestricted_scope = COMMANDS[name]
    admitting = {scope for scope in (own, unrestricted_scope) if scope is not None}
    assert await _command(shop, identity, name, world, world.user, set()) == 403
    assert await _command(shop, identity, name, world, world.user, EVERY - admitting) == 403
    assert await _command(shop, identity, name, world, world.user, {"nonsense"}) == 403
    if own is not None:
        stranger = await shop.user()
        foreign = await _command(shop, identity, name, world, stranger, {own})
        assert foreign == (403 if name == "PlaceOrder" else 404)
        assert await _command(shop, identity, name, world, world.user, {own}) in (200, 201)
        world = await World.make(shop)
    assert await _command(shop, identity, name, world, "somebody", {unrestricted_scope}) in (
        200,
        201,
    )


@pytest.mark.parametrize("template", QUERIES)
async def test_a_query_is_for_those_whose_scope_reaches_it(
    shop: AllTokens, identity: Identity, template: str
) -> None:
    world = await World.make(shop)
    path = template.format(user=world.user, product=world.product, placed=world.placed)
    assert (await shop.read(path)).status_code == 200

    async def status(sub: str, scopes: set[str]) -> int:
        answer = await shop.read(path, **identity.headers(sub, " ".join(scopes)))
        if answer.status_code != 200:
            name = {403: "forbidden", 404: "not-found"}[answer.status_code]
            check_problem(answer, answer.status_code, name)
        return answer.status_code

    own, unrestricted_scope = QUERIES[template]
    admitting = {scope for scope in (own, unrestricted_scope) if scope is not None}
    # Whether users:read reaches one's own list of orders too is left open.
    spared = {UR, f"{UR}:all"} if template.endswith("/orders") else set()
    assert await status(world.user, set()) == 403
    assert await status(world.user, EVERY - admitting - spared) == 403
    assert await status("somebody", {unrestricted_scope}) == 200
    if own is not None:
        assert await status(world.user, {own}) == 200
        assert await status(await shop.user(), {own}) == 404


@pytest.mark.parametrize("template", PUBLIC)
async def test_products_need_no_token_and_no_scope(
    shop: AllTokens, identity: Identity, template: str
) -> None:
    path = template.format(product=await shop.product())
    assert (await shop.read(path, **identity.headers("somebody", ""))).status_code == 200
    del_token = await _without_token(shop, "GET", shop.query_url + path)
    assert del_token == 200


async def _without_token(shop: AllTokens, method: str, url: str, body: object = None) -> int:
    request = shop.client.build_request(method, url, json=body)
    del request.headers["Authorization"]
    answer = await shop.client.send(request)
    if answer.status_code == 401:
        check_problem(answer, 401, "unauthorized")
    return answer.status_code


async def test_everything_else_needs_a_token(shop: AllTokens) -> None:
    world = await World.make(shop)
    for call in calls(world).values():
        url = shop.command_url + call.path
        assert await _without_token(shop, call.method, url, call.body) == 401
    for template in QUERIES:
        path = template.format(user=world.user, product=world.product, placed=world.placed)
        assert await _without_token(shop, "GET", shop.query_url + path) == 401


async def test_another_document_and_one_that_does_not_exist_answer_alike(
    shop: AllTokens, identity: Identity
) -> None:
    world = await World.make(shop)
    headers = identity.headers(await shop.user(), f"{UR} {OR} {UW} {OW}")
    nowhere = "01890000-0000-7000-8000-000000000000"
    for template in ("/v1/users/{}", "/v1/users/{}/orders", "/v1/users/{}/history"):
        there = await shop.read(template.format(world.user), **headers)
        missing = await shop.read(template.format(nowhere), **headers)
        assert (there.status_code, there.json()) == (missing.status_code, missing.json())
    for template in ("/v1/orders/{}", "/v1/orders/{}/history"):
        there = await shop.read(template.format(world.placed), **headers)
        missing = await shop.read(template.format(nowhere), **headers)
        assert (there.status_code, there.json()) == (missing.status_code, missing.json())
