"""No input leads to a 500, or prevents the service from handling the next request."""

import asyncio
import json
import os
import random
from typing import Any

import pytest

from tests.contract.client import AllTokens
from tests.contract.malformed_values import BODIES, HEADERS, PATHS, SCALARS
from tests.contract.raw_http import request, status_of
from tests.contract.requests import Call, Targets, calls, new_email
from tests.support.identity import Identity

ROUNDS = int(os.environ.get("TANDEM_FUZZ_ROUNDS", "150"))
# The service may close the connection if the input is not HTTP.
REJECTED = {None, *range(400, 500)}


def _dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def _mutations(body: dict[str, Any]) -> list[Any]:
    """The body with each field, at any depth, replaced by each malformed value."""
    found: list[Any] = list(SCALARS)
    for name, value in body.items():
        found += [{**body, name: malformed} for malformed in SCALARS]
        if isinstance(value, dict):
            found += [{**body, name: inner} for inner in _mutations(value)]
        if isinstance(value, list) and value and isinstance(value[0], dict):
            found += [{**body, name: [inner]} for inner in _mutations(value[0])]
            found.append({**body, name: value * 3000})
    return found


async def _check_available(shop: AllTokens) -> None:
    assert (await shop.read(f"/v1/users/{await shop.user()}")).status_code == 200


async def _post_all(shop: AllTokens, call: Call, bodies: list[bytes], media_type: str) -> None:
    """Ten at a time; no status is 5xx."""
    for start in range(0, len(bodies), 10):
        batch = bodies[start : start + 10]
        responses = await asyncio.gather(
            *(
                shop.client.request(
                    call.method,
                    shop.command_url + call.path,
                    content=body,
                    headers={"Content-Type": media_type},
                )
                for body in batch
            )
        )
        for body, response in zip(batch, responses, strict=True):
            assert response.status_code < 500, (call.path, body[:80])


async def test_no_field_of_any_command_gives_a_500(shop: AllTokens) -> None:
    for call in calls(await Targets.create(shop)).values():
        bodies = [_dump(value) for value in _mutations(call.body or {})]
        await _post_all(shop, call, bodies, "application/json")
    await _check_available(shop)


async def test_no_body_gives_a_500(shop: AllTokens) -> None:
    every = calls(await Targets.create(shop))
    for name in ("CreateUser", "RestockProduct", "PlaceOrder", "DeliverOrder"):
        await _post_all(shop, every[name], BODIES, "application/json")
    for media_type in ("application/json; charset=utf-16", "x", "application/json;;;="):
        await _post_all(shop, every["CreateUser"], BODIES, media_type)
    await _check_available(shop)


async def test_a_body_beyond_the_limit_is_413_with_any_transfer_encoding(
    shop: AllTokens, identity: Identity
) -> None:
    bearer = identity.headers()["Authorization"].encode()
    headers = [(b"Authorization", bearer), (b"Content-Type", b"application/json")]
    body = b'{"name": "' + b"x" * 3_000_000 + b'"}'
    for path in (b"/v1/users", b"/v1/products", b"/v1/orders"):
        announced = request(b"POST", path, [*headers, (b"Content-Length", b"3000000")])
        assert await status_of(shop.command_url, announced) == 413
        chunks = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
        chunked = request(b"POST", path, [*headers, (b"Transfer-Encoding", b"chunked")]) + chunks
        assert await status_of(shop.command_url, chunked) in (413, None)
    await _check_available(shop)


async def test_a_chunked_body_is_accepted(shop: AllTokens, identity: Identity) -> None:
    bearer = identity.headers()["Authorization"].encode()
    body = _dump({"name": "Ada", "email": new_email()})
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    headers = [(b"Authorization", bearer), (b"Content-Type", b"application/json")]
    sent = request(b"POST", b"/v1/users", [*headers, (b"Transfer-Encoding", b"chunked")]) + chunks
    assert await status_of(shop.command_url, sent) == 201


@pytest.mark.parametrize("service", ["command", "query"])
async def test_no_header_and_no_path_gives_a_500(
    shop: AllTokens, identity: Identity, service: str
) -> None:
    url = shop.command_url if service == "command" else shop.query_url
    user = (await shop.user()).encode()
    authorization = (b"Authorization", identity.headers()["Authorization"].encode())
    method = b"PUT" if service == "command" else b"GET"
    path = b"/v1/users/" + user + (b"/name" if service == "command" else b"")
    body = b'{"name": "B"}' if service == "command" else None
    json_type = (b"Content-Type", b"application/json")
    for name, value in HEADERS:
        for count in (1, 2):
            sent = [authorization, json_type, *[(name, value)] * count]
            status = await status_of(url, request(method, path, sent, body))
            assert status in REJECTED | {100, 200, 304, 501}, (name, value[:40], status)
    for malformed in PATHS:
        for verb in (b"GET", b"POST", b"DELETE", b"OPTIONS", b"TRACE", b"X" * 300):
            status = await status_of(
                url, request(verb, malformed, [authorization, json_type], b"{}")
            )
            assert status in REJECTED | {200}, (verb, malformed[:60], status)
    await _check_available(shop)


async def test_random_bytes_give_no_500(shop: AllTokens, identity: Identity) -> None:
    rng = random.Random(20)
    bearer = identity.headers()["Authorization"].encode()
    body = _dump({"name": "Ada", "email": "a@x"})
    json_type = (b"Content-Type", b"application/json")
    valid = [
        (
            shop.command_url,
            request(b"POST", b"/v1/users", [(b"Authorization", bearer), json_type], body),
        ),
        (shop.query_url, request(b"GET", b"/v1/orders?limit=2", [(b"Authorization", bearer)])),
    ]
    for url, sent in valid:
        for _ in range(ROUNDS):
            noisy = bytearray(sent)
            for _ in range(rng.randint(1, 4)):
                noisy[rng.randrange(len(noisy))] = rng.randrange(256)
            # The service may wait for more bytes: it then closes the connection, or responds.
            status = await status_of(url, bytes(noisy) + b"\r\n\r\n" + b" " * 200, timeout_s=1)
            assert status in REJECTED | {200, 201}, bytes(noisy)
        await status_of(url, rng.randbytes(5000) + b"\r\n\r\n")
    await _check_available(shop)
