"""The HTTP rules of both services, on a running stack."""

import pytest

from tests.contract.client import AllTokens
from tests.contract.raw_http import request, status_of
from tests.contract.requests import Targets, new_email, order_body
from tests.contract.response_checks import check_problem

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_a_first_request_that_offers_an_upgrade_is_a_request(shop: AllTokens) -> None:
    """As Java's HttpClient and curl --http2 send it."""
    response = await shop.client.post(
        shop.command_url + "/v1/users",
        json={"name": "A", "email": new_email()},
        headers={
            "Connection": "Upgrade, HTTP2-Settings",
            "Upgrade": "h2c",
            "HTTP2-Settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
        },
    )
    assert response.status_code == 201


async def test_an_encoded_slash_separates_no_segments(shop: AllTokens) -> None:
    for url in (shop.command_url, shop.query_url):
        for path in ("/v1%2Fproducts", "/v1%2fproducts", "/%76%31%2Fusers"):
            check_problem(await shop.client.get(url + path), 404, "not-found")
    assert (await shop.client.get(shop.query_url + "/v1/%70roducts")).status_code == 200


async def test_a_content_coding_is_415(shop: AllTokens) -> None:
    response = await shop.client.post(
        shop.command_url + "/v1/users",
        json={"name": "A", "email": new_email()},
        headers={"Content-Encoding": "gzip"},
    )
    check_problem(response, 415, "unsupported-media-type")


async def test_empty_elements_of_a_token_list_are_ignored(shop: AllTokens) -> None:
    user = await shop.user()
    for text in (f"{shop.token},", f",{shop.token} , ,"):
        response = await shop.client.get(
            f"{shop.query_url}/v1/users/{user}", headers={"Consistency-Token": text}
        )
        assert response.status_code == 200


@pytest.mark.parametrize("number", ["1e400", "9" * 5000])
async def test_a_number_beyond_all_limits_is_an_invalid_field(shop: AllTokens, number: str) -> None:
    targets = await Targets.create(shop)
    response = await shop.client.post(
        f"{shop.command_url}/v1/products/{targets.product}/restock",
        content=f'{{"quantity": {number}}}',
        headers={"Content-Type": "application/json"},
    )
    check_problem(response, 422, "invalid-field")


async def test_an_idempotency_key_compares_numbers_by_value(shop: AllTokens) -> None:
    targets = await Targets.create(shop)
    body = order_body(targets.user, (targets.product, 2))
    headers = {"Content-Type": "application/json", "Idempotency-Key": new_email()}
    first = await shop.send("POST", "/v1/orders", body, idempotency_key=headers["Idempotency-Key"])
    assert first.status_code == 201
    body["items"][0]["quantity"] = 2.0
    again = await shop.client.post(f"{shop.command_url}/v1/orders", json=body, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"


async def test_every_response_repeats_the_trace_context(shop: AllTokens) -> None:
    headers = {"traceparent": TRACE}
    for url in (shop.command_url, shop.query_url):
        for path in ("/v1/nothing", "/v1/products", "/v1/users/x", "/livez", "/openapi.json"):
            response = await shop.client.get(url + path, headers=headers)
            assert response.headers["traceparent"] == TRACE, path
    created = await shop.client.post(
        shop.command_url + "/v1/users", json={"name": "A", "email": new_email()}, headers=headers
    )
    assert (created.status_code, created.headers["traceparent"]) == (201, TRACE)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([(b"Host", b"y")], 400),
        ([(b"Transfer-Encoding", b"gzip, chunked")], 501),
        ([(b"X", b"y" * 17_000)], 431),
    ],
)
async def test_what_is_not_accepted_has_its_status(
    shop: AllTokens, fields: list[tuple[bytes, bytes]], status: int
) -> None:
    for url in (shop.command_url, shop.query_url):
        assert await status_of(url, request(b"GET", b"/v1/products", fields)) == status
