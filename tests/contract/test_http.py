"""What holds for every answer: problems, methods, HEAD, validators, what the services serve."""

from typing import Any

import pytest

from tests.contract.answers import check_problem, fields_of
from tests.contract.client import AllTokens
from tests.contract.requests import World, calls, new_email, order_body
from tests.support.stack import Stack

NOWHERE = "01890000-0000-7000-8000-000000000000"


async def test_a_method_that_a_resource_does_not_know_is_405_with_allow(shop: AllTokens) -> None:
    world = await World.make(shop)
    commands = {
        "/v1/users": "POST",
        f"/v1/users/{world.user}": "DELETE",
        f"/v1/users/{world.user}/name": "PUT",
        f"/v1/products/{world.product}/restock": "POST",
        f"/v1/orders/{world.placed}/ship": "POST",
    }
    for path, allowed in commands.items():
        answer = await shop.send("PATCH", path, {})
        check_problem(answer, 405, "method-not-allowed")
        assert allowed in answer.headers["allow"].replace(" ", "").split(",")
    for path in (f"/v1/users/{world.user}", "/v1/products", "/v1/dashboard", "/v1/orders"):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            answer = await shop.client.request(method, shop.query_url + path)
            check_problem(answer, 405, "method-not-allowed")
            assert {"GET", "HEAD"} <= set(answer.headers["allow"].replace(" ", "").split(","))


async def test_what_stands_nowhere_is_404(shop: AllTokens) -> None:
    for url in (shop.command_url, shop.query_url):
        for path in ("/", "/v1", "/v1/", "/v1/nothing", "/v2/users", "/v1/users/x/y/z", "//v1"):
            check_problem(await shop.client.get(url + path), 404, "not-found")


QUERIES = [
    "/v1/users/{user}",
    "/v1/users",
    "/v1/users/{user}/orders",
    "/v1/users/{user}/history",
    "/v1/products/{product}",
    "/v1/products",
    "/v1/products/{product}/history",
    "/v1/orders/{placed}",
    "/v1/orders",
    "/v1/orders/{placed}/history",
    "/v1/dashboard",
    "/v1/projections",
]


async def test_head_works_as_get_without_a_body(shop: AllTokens) -> None:
    world = await World.make(shop)
    for template in QUERIES:
        path = template.format(user=world.user, product=world.product, placed=world.placed)
        got = await shop.read(path)
        head = await shop.client.head(shop.query_url + path)
        assert (got.status_code, head.status_code, head.content) == (200, 200, b""), path
        if "projections" not in path:
            assert head.headers["content-length"] == str(len(got.content)), path
        for name in ("etag", "content-type", "cache-control"):
            assert head.headers.get(name) == got.headers.get(name), path
    missing = await shop.client.head(f"{shop.query_url}/v1/users/{NOWHERE}")
    assert (missing.status_code, missing.content) == (404, b"")


async def test_every_read_says_how_it_may_be_cached(shop: AllTokens) -> None:
    world = await World.make(shop)
    for template in QUERIES:
        path = template.format(user=world.user, product=world.product, placed=world.placed)
        public = template in ("/v1/products", "/v1/products/{product}")
        answer = await shop.read(path)
        assert answer.headers["cache-control"] == ("no-cache" if public else "private, no-cache")
        assert answer.headers["consistency-token"], path
        assert answer.headers["content-type"] == "application/json"


async def test_documents_carry_their_version_and_honour_if_none_match(shop: AllTokens) -> None:
    world = await World.make(shop)
    for path, version in (
        (f"/v1/users/{world.user}", 1),
        (f"/v1/products/{world.product}", 3),
        (f"/v1/orders/{world.shipped}", 2),
    ):
        got = await shop.read(path)
        assert (got.headers["etag"], got.json()["version"]) == (f'"{version}"', version)
        for same in (f'"{version}"', f'W/"{version}"', f'"9999", "{version}"', "*"):
            unchanged = await shop.read(path, If_None_Match=same)
            assert (unchanged.status_code, unchanged.content) == (304, b""), same
            assert unchanged.headers["etag"] == f'"{version}"'
            assert unchanged.headers["consistency-token"]
            assert unchanged.headers["cache-control"] == got.headers["cache-control"]
        for other in ('"9999"', "nonsense", ""):
            assert (await shop.read(path, If_None_Match=other)).status_code == 200
    missing = await shop.read(f"/v1/users/{NOWHERE}", If_None_Match="*")
    check_problem(missing, 404, "not-found")


async def test_a_read_of_what_does_not_exist_is_404(shop: AllTokens) -> None:
    await shop.user()
    for id in (NOWHERE, "nonsense", "1", "%00", NOWHERE[:-1], NOWHERE + "0"):
        for template in QUERIES:
            if "{" in template:
                path = template.format(user=id, product=id, placed=id)
                check_problem(await shop.read(path), 404, "not-found")


async def test_every_invalid_field_is_named_by_its_pointer(shop: AllTokens) -> None:
    assert fields_of(await shop.send("POST", "/v1/users", {})) == {"/name", "/email"}
    body = {"name": "", "description": 1, "price": {"amount": -1}, "stock": 1, "x": 1}
    expected = {"/name", "/description", "/price/amount", "/price/currency", "/x"}
    assert fields_of(await shop.send("POST", "/v1/products", body)) == expected
    assert fields_of(await shop.send("POST", "/v1/users", [])) == {""}


async def test_no_problem_quotes_a_personal_value(shop: AllTokens) -> None:
    world, secret = await World.make(shop), "canary7f3a"
    email = f"{secret}@example.org"
    await shop.user(email=email)
    order = order_body(world.user, (NOWHERE, 1))
    sent: list[tuple[str, str, Any]] = [
        ("POST", "/v1/users", {"name": "A", "email": email.upper()}),
        ("POST", "/v1/users", {"name": f"{secret}\0", "email": secret}),
        ("POST", "/v1/users", {"name": secret * 100, "email": {secret: secret}}),
        ("POST", "/v1/users", {"name": [secret], "email": f"{secret}@{'x' * 300}"}),
        ("POST", "/v1/users", f"{secret}"),
        ("PUT", f"/v1/users/{world.user}/email", {"email": email}),
        ("PUT", f"/v1/users/{NOWHERE}/name", {"name": secret}),
        ("POST", "/v1/orders", {**order, "shipping_address": secret}),
        ("POST", "/v1/orders", {**order, "shipping_address": f"{secret}\x01"}),
        ("POST", "/v1/orders", {**order, "customer_id": secret}),
        ("POST", "/v1/orders", {**order, "items": secret}),
        ("PUT", f"/v1/users/{secret}/name", {"name": "A"}),
    ]
    for method, path, body in sent:
        answer = await shop.send(method, path, body)
        assert answer.status_code in (400, 404, 409, 422)
        assert secret not in answer.text.lower(), answer.text
        assert secret not in str(answer.headers).lower()


async def test_a_json_body_needs_its_media_type(shop: AllTokens) -> None:
    world = await World.make(shop)
    for name, call in calls(world).items():
        if call.body is None:
            continue
        for media_type in ("text/plain", "application/jsonx", "application/merge-patch+json", ""):
            answer = await shop.client.request(
                call.method,
                shop.command_url + call.path,
                content=b"{}",
                headers={"Content-Type": media_type},
            )
            assert answer.status_code == 415, name
            check_problem(answer, 415, "unsupported-media-type")
    for media_type in ("application/json; charset=utf-8", "Application/JSON", "application/json;"):
        answer = await shop.client.post(
            shop.command_url + "/v1/users",
            content=f'{{"name": "A", "email": "{new_email()}"}}'.encode(),
            headers={"Content-Type": media_type},
        )
        assert answer.status_code == 201


async def test_commands_without_fields_take_an_empty_object_or_nothing(shop: AllTokens) -> None:
    world = await World.make(shop)
    assert (await shop.send("DELETE", f"/v1/products/{world.product}", {})).status_code == 200
    assert (await shop.send("DELETE", f"/v1/users/{world.user}")).status_code == 200


@pytest.mark.parametrize("process", ["command-service", "query-service", "relay", "projector"])
async def test_each_process_says_that_it_lives_is_ready_and_how_it_does(
    stack: Stack, shop: AllTokens, process: str
) -> None:
    url = stack[process].url
    for path in ("/livez", "/readyz", "/metrics"):
        request = shop.client.build_request("GET", url + path)
        del request.headers["Authorization"]
        assert (await shop.client.send(request)).status_code == 200, path
    assert "# TYPE" in (await shop.client.get(url + "/metrics")).text


async def test_the_services_document_themselves_without_a_token(shop: AllTokens) -> None:
    documents = [(shop.command_url, "/openapi.json", "openapi")]
    documents += [(shop.query_url, "/openapi.json", "openapi")]
    documents += [(shop.command_url, "/asyncapi.json", "asyncapi")]
    for url, path, field in documents:
        request = shop.client.build_request("GET", url + path)
        del request.headers["Authorization"]
        answer = await shop.client.send(request)
        assert (answer.status_code, field in answer.json()) == (200, True)
    for url in (shop.command_url, shop.query_url):
        request = shop.client.build_request("GET", url + "/docs")
        del request.headers["Authorization"]
        page = await shop.client.send(request)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        for loaded in ("https://", 'src="//', 'href="//'):
            assert loaded not in page.text
