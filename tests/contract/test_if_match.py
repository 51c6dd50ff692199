"""`If-Match` on every command to an existing aggregate, and the order in which checks come."""

import pytest

from tests.contract.answers import check_problem
from tests.contract.client import AllTokens
from tests.contract.requests import NAMES, TO_EXISTING, WITH_BODY, World, calls, order_body
from tests.support.identity import Identity

NOWHERE = "01890000-0000-7000-8000-000000000000"
HUGE = b'{"name": "' + b"x" * 3_000_000 + b'"}'


@pytest.mark.parametrize("name", TO_EXISTING)
async def test_another_version_is_412_and_the_right_one_is_taken(
    shop: AllTokens, name: str
) -> None:
    call = calls(await World.make(shop))[name]
    assert call.version is not None
    for version in (0, call.version - 1, call.version + 1, 10**9):
        stale = await shop.send(call.method, call.path, call.body, If_Match=f'"{version}"')
        check_problem(stale, 412, "version-conflict")
    right = await shop.send(call.method, call.path, call.body, If_Match=f'"{call.version}"')
    assert (right.status_code, right.json()["version"]) == (200, call.version + 1)


@pytest.mark.parametrize("value", ["1", "", '"', '"x"', '"-1"', '"1', "nonsense", '"1.0"', "''"])
async def test_a_malformed_if_match_is_400(shop: AllTokens, value: str) -> None:
    path = f"/v1/users/{await shop.user()}/name"
    answer = await shop.send("PUT", path, {"name": "B"}, If_Match=value)
    check_problem(answer, 400, "malformed-request")


async def test_the_version_is_checked_before_what_the_command_asks_for(shop: AllTokens) -> None:
    world = await World.make(shop)
    same_name = f"/v1/users/{world.user}/name"
    stale = await shop.send("PUT", same_name, {"name": "Ada"}, If_Match='"7"')
    check_problem(stale, 412, "version-conflict")
    await shop.send("DELETE", f"/v1/products/{world.product}")
    path = f"/v1/products/{world.product}/restock"
    stale = await shop.send("POST", path, {"quantity": 1}, If_Match='"1"')
    check_problem(stale, 412, "version-conflict")
    path = f"/v1/orders/{world.placed}/deliver"
    check_problem(await shop.send("POST", path, If_Match='"9"'), 412, "version-conflict")
    taken = {"email": (await _taken_email(shop))}
    path = f"/v1/users/{world.user}/email"
    check_problem(await shop.send("PUT", path, taken, If_Match='"9"'), 412, "version-conflict")


async def _taken_email(shop: AllTokens) -> str:
    email = "taken-before-the-version@example.org"
    await shop.user(email=email)
    return email


@pytest.mark.parametrize("name", WITH_BODY)
async def test_checks_come_in_their_order(shop: AllTokens, identity: Identity, name: str) -> None:
    """Each request breaks one rule more than the one after it; the earlier rule answers."""
    call = calls(World(*[NOWHERE] * 5))[name]
    no_scope = {"Authorization": f"Bearer {identity.token('tester', '')}"}
    text, json = {"Content-Type": "text/plain"}, {"Content-Type": "application/json"}
    bad_key = {"Idempotency-Key": "x" * 256}
    cases = [
        (401, "unauthorized", {"Authorization": "Bearer x", **text, **bad_key}, HUGE),
        (403, "forbidden", {**no_scope, **text, **bad_key}, HUGE),
        (413, "too-large", {**text, **bad_key}, HUGE),
        (415, "unsupported-media-type", {**text, **bad_key}, b"{"),
        (400, "malformed-request", json, b"{"),
        (400, "malformed-request", {**json, **bad_key}, b'{"extra": 1}'),
        (400, "malformed-request", {**json, "If-Match": "x"}, b'{"extra": 1}'),
        (422, "invalid-field", json, b'{"extra": 1}'),
    ]
    for status, problem, headers, body in cases:
        answer = await shop.client.request(
            call.method, shop.command_url + call.path, content=body, headers=headers
        )
        check_problem(answer, status, problem)


async def test_the_stored_answer_comes_after_invalid_fields_and_before_404(
    shop: AllTokens,
) -> None:
    user, key = await shop.user(), "order-of-the-stored-answer"
    path, body = f"/v1/users/{user}/name", {"name": "B"}
    first = await shop.send("PUT", path, body, Idempotency_Key=key)
    assert first.status_code == 200
    invalid = await shop.send("PUT", path, {"name": ""}, Idempotency_Key=key)
    check_problem(invalid, 422, "invalid-field")
    unknown = f"/v1/users/{NOWHERE}/name"
    reused = await shop.send("PUT", unknown, body, Idempotency_Key=key, If_Match='"5"')
    check_problem(reused, 422, "idempotency-key-reused")
    again = await shop.send("PUT", path, body, Idempotency_Key=key)
    assert again.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("name", TO_EXISTING)
async def test_404_comes_before_412(shop: AllTokens, name: str) -> None:
    call = calls(World(*[NOWHERE] * 5))[name]
    answer = await shop.send(call.method, call.path, call.body, If_Match='"5"')
    check_problem(answer, 404, "not-found")


async def test_an_unknown_reference_comes_before_409(shop: AllTokens) -> None:
    user, product, retired = await shop.user(), await shop.product(stock=0), await shop.product()
    await shop.send("DELETE", f"/v1/products/{retired}")
    for lines in (
        [(product, 5), (NOWHERE, 1)],
        [(retired, 1), (NOWHERE, 1)],
    ):
        answer = await shop.order(user, *lines)
        check_problem(answer, 422, "unknown-reference")
    body = order_body(NOWHERE, (product, 5), (retired, 1))
    check_problem(await shop.send("POST", "/v1/orders", body), 422, "unknown-reference")


@pytest.mark.parametrize("name", NAMES)
async def test_a_body_of_no_json_is_400_and_of_another_shape_422(
    shop: AllTokens, name: str
) -> None:
    call = calls(World(*[NOWHERE] * 5))[name]
    for body, status, problem in (
        (b"{", 400, "malformed-request"),
        (b"{}{}", 400, "malformed-request"),
        (b'{"name": NaN}', 400, "malformed-request"),
        (b"\xff\xfe", 400, "malformed-request"),
        (b'{"name": "\xff"}', 400, "malformed-request"),
        (b"[]", 422, "invalid-field"),
        (b"null", 422, "invalid-field"),
        (b'"text"', 422, "invalid-field"),
        (b"7", 422, "invalid-field"),
        (b'{"extra": 1}', 422, "invalid-field"),
    ):
        answer = await shop.client.request(
            call.method,
            shop.command_url + call.path,
            content=body,
            headers={"Content-Type": "application/json"},
        )
        check_problem(answer, status, problem)
