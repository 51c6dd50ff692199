"""`If-Match` on every command to an existing aggregate, and the order of the checks."""

import pytest

from tests.contract.client import AllTokens
from tests.contract.requests import NAMES, TO_EXISTING, WITH_BODY, Targets, calls, order_body
from tests.contract.response_checks import check_problem
from tests.support.identity import Identity

UNKNOWN_ID = "01890000-0000-7000-8000-000000000000"
HUGE = b'{"name": "' + b"x" * 3_000_000 + b'"}'


@pytest.mark.parametrize("name", TO_EXISTING)
async def test_another_version_is_412_and_the_current_one_is_accepted(
    shop: AllTokens, name: str
) -> None:
    call = calls(await Targets.create(shop))[name]
    assert call.version is not None
    for version in (0, call.version - 1, call.version + 1, 10**9):
        stale = await shop.send(call.method, call.path, call.body, If_Match=f'"{version}"')
        check_problem(stale, 412, "version-conflict")
    current = await shop.send(call.method, call.path, call.body, If_Match=f'"{call.version}"')
    assert (current.status_code, current.json()["version"]) == (200, call.version + 1)


@pytest.mark.parametrize("value", ["1", "", '"', '"x"', '"-1"', '"1', "nonsense", '"1.0"', "''"])
async def test_a_malformed_if_match_is_400(shop: AllTokens, value: str) -> None:
    path = f"/v1/users/{await shop.user()}/name"
    response = await shop.send("PUT", path, {"name": "B"}, If_Match=value)
    check_problem(response, 400, "malformed-request")


async def test_the_version_is_checked_before_the_state(shop: AllTokens) -> None:
    targets = await Targets.create(shop)
    same_name = f"/v1/users/{targets.user}/name"
    stale = await shop.send("PUT", same_name, {"name": "Ada"}, If_Match='"7"')
    check_problem(stale, 412, "version-conflict")
    await shop.send("DELETE", f"/v1/products/{targets.product}")
    path = f"/v1/products/{targets.product}/restock"
    stale = await shop.send("POST", path, {"quantity": 1}, If_Match='"1"')
    check_problem(stale, 412, "version-conflict")
    path = f"/v1/orders/{targets.placed}/deliver"
    check_problem(await shop.send("POST", path, If_Match='"9"'), 412, "version-conflict")
    used = {"email": await _used_email(shop)}
    path = f"/v1/users/{targets.user}/email"
    check_problem(await shop.send("PUT", path, used, If_Match='"9"'), 412, "version-conflict")


async def _used_email(shop: AllTokens) -> str:
    email = "used-before-the-version@example.org"
    await shop.user(email=email)
    return email


@pytest.mark.parametrize("name", WITH_BODY)
async def test_checks_are_made_in_order(shop: AllTokens, identity: Identity, name: str) -> None:
    """Each request violates one rule more than the next one; the first violated rule decides."""
    call = calls(Targets(*[UNKNOWN_ID] * 5))[name]
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
        response = await shop.client.request(
            call.method, shop.command_url + call.path, content=body, headers=headers
        )
        check_problem(response, status, problem)


async def test_the_stored_response_is_checked_after_invalid_fields_and_before_404(
    shop: AllTokens,
) -> None:
    user, key = await shop.user(), "order-of-the-stored-response"
    path, body = f"/v1/users/{user}/name", {"name": "B"}
    first = await shop.send("PUT", path, body, Idempotency_Key=key)
    assert first.status_code == 200
    invalid = await shop.send("PUT", path, {"name": ""}, Idempotency_Key=key)
    check_problem(invalid, 422, "invalid-field")
    unknown = f"/v1/users/{UNKNOWN_ID}/name"
    reused = await shop.send("PUT", unknown, body, Idempotency_Key=key, If_Match='"5"')
    check_problem(reused, 422, "idempotency-key-reused")
    again = await shop.send("PUT", path, body, Idempotency_Key=key)
    assert again.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("name", TO_EXISTING)
async def test_404_is_checked_before_412(shop: AllTokens, name: str) -> None:
    call = calls(Targets(*[UNKNOWN_ID] * 5))[name]
    response = await shop.send(call.method, call.path, call.body, If_Match='"5"')
    check_problem(response, 404, "not-found")


async def test_unknown_references_are_checked_before_409(shop: AllTokens) -> None:
    user, product, retired = await shop.user(), await shop.product(stock=0), await shop.product()
    await shop.send("DELETE", f"/v1/products/{retired}")
    for lines in (
        [(product, 5), (UNKNOWN_ID, 1)],
        [(retired, 1), (UNKNOWN_ID, 1)],
    ):
        response = await shop.order(user, *lines)
        check_problem(response, 422, "unknown-reference")
    body = order_body(UNKNOWN_ID, (product, 5), (retired, 1))
    check_problem(await shop.send("POST", "/v1/orders", body), 422, "unknown-reference")


@pytest.mark.parametrize("name", NAMES)
async def test_a_body_that_is_not_json_is_400_and_another_schema_is_422(
    shop: AllTokens, name: str
) -> None:
    call = calls(Targets(*[UNKNOWN_ID] * 5))[name]
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
        response = await shop.client.request(
            call.method,
            shop.command_url + call.path,
            content=body,
            headers={"Content-Type": "application/json"},
        )
        check_problem(response, status, problem)
