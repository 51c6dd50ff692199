"""The same key, caller and request give the same response, for every command."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.contract.client import AllTokens
from tests.contract.requests import NAMES, TO_EXISTING, WITH_BODY, Call, Targets, calls, new_email
from tests.contract.response_checks import check_problem
from tests.support.identity import Identity

SAME_HEADERS = ("content-type", "etag", "location", "consistency-token")


def _key() -> str:
    return new_email()


async def _send(shop: AllTokens, call: Call, key: str, **headers: str) -> httpx.Response:
    return await shop.send(call.method, call.path, call.body, Idempotency_Key=key, **headers)


def _assert_replayed(first: httpx.Response, again: httpx.Response) -> None:
    assert "idempotent-replayed" not in first.headers
    assert again.headers.get("idempotent-replayed") == "true", again.text
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    for name in SAME_HEADERS:
        assert again.headers.get(name) == first.headers.get(name)


@pytest.mark.parametrize("name", NAMES)
async def test_a_duplicate_gets_the_first_response(shop: AllTokens, name: str) -> None:
    call, key = calls(await Targets.create(shop))[name], _key()
    first = await _send(shop, call, key)
    assert first.status_code in (200, 201)
    _assert_replayed(first, await _send(shop, call, key))


@pytest.mark.parametrize("name", NAMES)
async def test_another_request_with_the_key_is_422(shop: AllTokens, name: str) -> None:
    targets, other = await Targets.create(shop), await Targets.create(shop)
    call, key = calls(targets)[name], _key()
    assert (await _send(shop, call, key)).status_code in (200, 201)
    changed = [Call("POST", "/v1/users", {"name": "Other", "email": new_email()})]
    if call.version is not None:
        changed.append(Call(call.method, calls(other)[name].path, call.body))
        response = await _send(shop, call, key, If_Match=f'"{call.version}"')
        check_problem(response, 422, "idempotency-key-reused")
    if call.body is not None:
        changed.append(Call(call.method, call.path, _changed(call.body)))
    for request in changed:
        check_problem(await _send(shop, request, key), 422, "idempotency-key-reused")


def _changed(body: dict[str, Any]) -> dict[str, Any]:
    """The body with another valid value in one of its fields."""
    for name in ("name", "shipping_address", "carrier", "reason", "reference"):
        if name in body:
            return {**body, name: "something else"}
    if "email" in body:
        return {"email": new_email()}
    if "price" in body:
        return {"price": {"amount": 1, "currency": "USD"}}
    return {"quantity": 77}


async def test_a_result_of_the_state_is_stored(shop: AllTokens) -> None:
    targets = await Targets.create(shop)
    unknown_id = "01890000-0000-7000-8000-000000000001"
    call = calls(targets)
    order = call["PlaceOrder"].body or {}
    cases = [
        (404, Call("PUT", f"/v1/users/{unknown_id}/name", {"name": "X"}), {}),
        (404, Call("DELETE", f"/v1/products/{unknown_id}", None), {}),
        (412, call["UpdateUserName"], {"If_Match": '"9"'}),
        (412, call["CancelOrder"], {"If_Match": '"9"'}),
        (422, Call("POST", "/v1/orders", {**order, "customer_id": unknown_id}), {}),
        (409, Call("POST", f"/v1/orders/{targets.shipped}/ship", call["ShipOrder"].body), {}),
        (409, Call("POST", f"/v1/orders/{targets.placed}/deliver", None), {}),
    ]
    for status, request, headers in cases:
        key = _key()
        first = await _send(shop, request, key, **headers)
        assert first.status_code == status
        _assert_replayed(first, await _send(shop, request, key, **headers))


async def test_a_stored_rejection_is_replayed_after_the_state_has_changed(shop: AllTokens) -> None:
    user, product, key = await shop.user(), await shop.product(stock=0), _key()
    first = await shop.order(user, (product, 1), Idempotency_Key=key)
    check_problem(first, 409, "insufficient-stock")
    await shop.send("POST", f"/v1/products/{product}/restock", {"quantity": 5})
    _assert_replayed(first, await shop.order(user, (product, 1), Idempotency_Key=key))
    assert (await shop.order(user, (product, 1))).status_code == 201


async def test_a_stored_response_is_replayed_after_its_aggregate_was_erased(
    shop: AllTokens,
) -> None:
    user, key = await shop.user(), _key()
    rename = Call("PUT", f"/v1/users/{user}/name", {"name": "B"})
    first = await _send(shop, rename, key)
    await shop.send("DELETE", f"/v1/users/{user}")
    _assert_replayed(first, await _send(shop, rename, key))


@pytest.mark.parametrize("name", WITH_BODY)
async def test_a_rejection_before_the_decision_is_not_stored(
    shop: AllTokens, identity: Identity, name: str
) -> None:
    call, key = calls(await Targets.create(shop))[name], _key()
    no_scope = identity.token("tester", "")
    rejected = [
        (401, {"Authorization": "Bearer x"}, call.body),
        (403, {"Authorization": f"Bearer {no_scope}"}, call.body),
        (413, {}, {"name": "x" * 3_000_000}),
        (422, {}, {}),
    ]
    for status, headers, body in rejected:
        response = await shop.send(call.method, call.path, body, Idempotency_Key=key, **headers)
        assert response.status_code == status
    for content_type, content in (("text/plain", b"{}"), ("application/json", b"{")):
        headers = {"Content-Type": content_type, "Idempotency-Key": key}
        response = await shop.client.request(
            call.method, shop.command_url + call.path, content=content, headers=headers
        )
        assert response.status_code == (415 if content_type == "text/plain" else 400)
    accepted = await _send(shop, call, key)
    assert accepted.status_code in (200, 201), accepted.text
    assert "idempotent-replayed" not in accepted.headers


async def test_a_key_belongs_to_its_caller(shop: AllTokens, identity: Identity) -> None:
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


async def test_concurrent_duplicates_take_effect_once(shop: AllTokens) -> None:
    user, product = await shop.user(), await shop.product(stock=100)
    for _ in range(3):
        key = _key()
        responses = await asyncio.gather(
            *(shop.order(user, (product, 1), Idempotency_Key=key) for _ in range(10))
        )
        ids = {a.json()["id"] for a in responses if a.status_code == 201}
        assert len(ids) == 1
        for response in responses:
            if response.status_code != 201:
                check_problem(response, 409, "idempotency-key-in-use")


async def test_a_key_is_1_to_255_printable_ascii_characters(shop: AllTokens) -> None:
    for key in (b"", b"x" * 256, b"\xc3\xa9", b"\xff", b"a\x7fb"):
        response = await shop.client.post(
            shop.command_url + "/v1/users",
            json={"name": "A", "email": new_email()},
            headers=[(b"Idempotency-Key", key)],
        )
        check_problem(response, 400, "malformed-request")
    max_length_key = _key().ljust(255, "~")
    call = Call("POST", "/v1/users", {"name": "A", "email": new_email()})
    _assert_replayed(
        await _send(shop, call, max_length_key), await _send(shop, call, max_length_key)
    )


@pytest.mark.parametrize("name", TO_EXISTING)
async def test_the_version_is_part_of_the_request(shop: AllTokens, name: str) -> None:
    call, key = calls(await Targets.create(shop))[name], _key()
    version = f'"{call.version}"'
    first = await _send(shop, call, key, If_Match=version)
    assert first.status_code == 200
    _assert_replayed(first, await _send(shop, call, key, If_Match=version))
    check_problem(await _send(shop, call, key), 422, "idempotency-key-reused")
    other = await _send(shop, call, key, If_Match='"77"')
    check_problem(other, 422, "idempotency-key-reused")
