"""The same key, caller and request give the same answer again, on every command."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.contract.answers import check_problem
from tests.contract.client import AllTokens
from tests.contract.requests import NAMES, TO_EXISTING, WITH_BODY, Call, World, calls, new_email
from tests.support.identity import Identity

SAME = ("content-type", "etag", "location", "consistency-token")


def _key() -> str:
    return new_email()


async def _send(shop: AllTokens, call: Call, key: str, **headers: str) -> httpx.Response:
    return await shop.send(call.method, call.path, call.body, Idempotency_Key=key, **headers)


def _assert_replayed(first: httpx.Response, again: httpx.Response) -> None:
    assert "idempotent-replayed" not in first.headers
    assert again.headers.get("idempotent-replayed") == "true", again.text
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    for name in SAME:
        assert again.headers.get(name) == first.headers.get(name)


@pytest.mark.parametrize("name", NAMES)
async def test_a_repeat_gets_the_first_answer(shop: AllTokens, name: str) -> None:
    call, key = calls(await World.make(shop))[name], _key()
    first = await _send(shop, call, key)
    assert first.status_code in (200, 201)
    _assert_replayed(first, await _send(shop, call, key))


@pytest.mark.parametrize("name", NAMES)
async def test_another_request_under_the_key_is_422(shop: AllTokens, name: str) -> None:
    world, other = await World.make(shop), await World.make(shop)
    call, key = calls(world)[name], _key()
    assert (await _send(shop, call, key)).status_code in (200, 201)
    changed = [Call("POST", "/v1/users", {"name": "Other", "email": new_email()})]
    if call.version is not None:
        changed.append(Call(call.method, calls(other)[name].path, call.body))
        answer = await _send(shop, call, key, If_Match=f'"{call.version}"')
        check_problem(answer, 422, "idempotency-key-reused")
    if call.body is not None:
        changed.append(Call(call.method, call.path, _changed(call.body)))
    for request in changed:
        check_problem(await _send(shop, request, key), 422, "idempotency-key-reused")


def _changed(body: dict[str, Any]) -> dict[str, Any]:
    """The same shape with another value in its first field that allows it."""
    for name in ("name", "shipping_address", "carrier", "reason"):
        if name in body:
            return {**body, name: "something else"}
    if "email" in body:
        return {"email": new_email()}
    if "price" in body:
        return {"price": {"amount": 1, "currency": "USD"}}
    return {"quantity": 77}


async def test_what_state_decided_is_stored(shop: AllTokens) -> None:
    world = await World.make(shop)
    nowhere = "01890000-0000-7000-8000-000000000001"
    call = calls(world)
    order = call["PlaceOrder"].body or {}
    cases = [
        (404, Call("PUT", f"/v1/users/{nowhere}/name", {"name": "X"}), {}),
        (404, Call("DELETE", f"/v1/products/{nowhere}", None), {}),
        (412, call["UpdateUserName"], {"If_Match": '"9"'}),
        (412, call["CancelOrder"], {"If_Match": '"9"'}),
        (422, Call("POST", "/v1/orders", {**order, "customer_id": nowhere}), {}),
        (409, Call("POST", f"/v1/orders/{world.shipped}/ship", call["ShipOrder"].body), {}),
        (409, Call("POST", f"/v1/orders/{world.placed}/deliver", None), {}),
    ]
    for status, request, headers in cases:
        key = _key()
        first = await _send(shop, request, key, **headers)
        assert first.status_code == status
        _assert_replayed(first, await _send(shop, request, key, **headers))


async def test_a_stored_refusal_is_repeated_though_the_state_has_changed(shop: AllTokens) -> None:
    user, product, key = await shop.user(), await shop.product(stock=0), _key()
    first = await shop.order(user, (product, 1), Idempotency_Key=key)
    check_problem(first, 409, "insufficient-stock")
    await shop.send("POST", f"/v1/products/{product}/restock", {"quantity": 5})
    _assert_replayed(first, await shop.order(user, (product, 1), Idempotency_Key=key))
    assert (await shop.order(user, (product, 1))).status_code == 201


async def test_a_stored_answer_is_repeated_though_its_aggregate_is_gone(shop: AllTokens) -> None:
    user, key = await shop.user(), _key()
    rename = Call("PUT", f"/v1/users/{user}/name", {"name": "B"})
    first = await _send(shop, rename, key)
    await shop.send("DELETE", f"/v1/users/{user}")
    _assert_replayed(first, await _send(shop, rename, key))


@pytest.mark.parametrize("name", WITH_BODY)
async def test_what_state_did_not_decide_is_not_stored(
    shop: AllTokens, identity: Identity, name: str
) -> None:
    call, key = calls(await World.make(shop))[name], _key()
    no_scope = identity.token("tester", "")
    refused = [
        (401, {"Authorization": "Bearer x"}, call.body),
        (403, {"Authorization": f"Bearer {no_scope}"}, call.body),
        (413, {}, {"name": "x" * 3_000_000}),
        (422, {}, {}),
    ]
    for status, headers, body in refused:
        answer = await shop.send(call.method, call.path, body, Idempotency_Key=key, **headers)
        assert answer.status_code == status
    for content_type, content in (("text/plain", b"{}"), ("application/json", b"{")):
        headers = {"Content-Type": content_type, "Idempotency-Key": key}
        answer = await shop.client.request(
            call.method, shop.command_url + call.path, content=content, headers=headers
        )
        assert answer.status_code == (415 if content_type == "text/plain" else 400)
    accepted = await _send(shop, call, key)
    assert accepted.status_code in (200, 201), accepted.text
    assert "idempotent-replayed" not in accepted.headers


async def test_keys_are_each_callers_own(shop: AllTokens, identity: Identity) -> None:
    key, ids = _key(), set()
    for sub in ("one", "other"):
        body = {"name": "Ada", "email": new_email()}
        authorization = identity.headers(sub)["Authorization"]
        call = Call("POST", "/v1/users", body)
        first = await _send(shop, call, key, Authorization=authorization)
        assert first.status_code == 201
        renewed = identity.token(sub, exp=4_000_000_000, jti="renewed")
        again = await _send(shop, call, key, Authorization=f"Bearer {renewed}")
        _assert_replayed(first, again)
        ids.add(first.json()["id"])
    assert len(ids) == 2


async def test_copies_at_the_same_moment_take_effect_once(shop: AllTokens) -> None:
    user, product = await shop.user(), await shop.product(stock=100)
    for _ in range(3):
        key = _key()
        answers = await asyncio.gather(
            *(shop.order(user, (product, 1), Idempotency_Key=key) for _ in range(10))
        )
        ids = {a.json()["id"] for a in answers if a.status_code == 201}
        assert len(ids) == 1
        for answer in answers:
            if answer.status_code != 201:
                check_problem(answer, 409, "idempotency-key-in-use")


async def test_a_key_is_1_to_255_printable_ascii_characters(shop: AllTokens) -> None:
    for key in (b"", b"x" * 256, b"\xc3\xa9", b"\xff", b"a\x7fb"):
        answer = await shop.client.post(
            shop.command_url + "/v1/users",
            json={"name": "A", "email": new_email()},
            headers=[(b"Idempotency-Key", key)],
        )
        check_problem(answer, 400, "malformed-request")
    longest = _key().ljust(255, "~")
    call = Call("POST", "/v1/users", {"name": "A", "email": new_email()})
    _assert_replayed(await _send(shop, call, longest), await _send(shop, call, longest))


@pytest.mark.parametrize("name", TO_EXISTING)
async def test_the_version_is_part_of_the_request(shop: AllTokens, name: str) -> None:
    call, key = calls(await World.make(shop))[name], _key()
    version = f'"{call.version}"'
    first = await _send(shop, call, key, If_Match=version)
    assert first.status_code == 200
    _assert_replayed(first, await _send(shop, call, key, If_Match=version))
    check_problem(await _send(shop, call, key), 422, "idempotency-key-reused")
    other = await _send(shop, call, key, If_Match='"77"')
    check_problem(other, 422, "idempotency-key-reused")
