"""Every response: problems, methods, HEAD, validators, and the documents of the services."""

from typing import Any

import pytest

from tests.contract.client import AllTokens
from tests.contract.requests import Targets, calls, new_email, order_body
from tests.contract.response_checks import check_problem, fields_of
from tests.support.stack import Stack

UNKNOWN_ID = "01890000-0000-7000-8000-000000000000"


async def test_an_unsupported_method_is_405_with_allow(shop: AllTokens) -> None:
    targets = await Targets.create(shop)
    commands = {
        "/v1/users": "POST",
        f"/v1/users/{targets.user}": "DELETE",
        f"/v1/users/{targets.user}/name": "PUT",
        f"/v1/products/{targets.product}/restock": "POST",
        f"/v1/orders/{targets.placed}/ship": "POST",
    }
    for path, allowed in commands.items():
        response = await shop.send("PATCH", path, {})
        check_problem(response, 405, "method-not-allowed")
        assert allowed in response.headers["allow"].replace(" ", "").split(",")
    for path in (f"/v1/users/{targets.user}", "/v1/products", "/v1/dashboard", "/v1/orders"):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            response = await shop.client.request(method, shop.query_url + path)
            check_problem(response, 405, "method-not-allowed")
            assert {"GET", "HEAD"} <= set(response.headers["allow"].replace(" ", "").split(","))


async def test_an_unknown_path_is_404(shop: AllTokens) -> None:
    for url in (shop.command_url, shop.query_url):
        for path in ("/v1", "/v1/", "/v1/nothing", "/v2/users", "/v1/users/x/y/z", "//v1"):
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
    "/v1/parked",
]


async def test_head_equals_get_without_a_body(shop: AllTokens) -> None:
    targets = await Targets.create(shop)
    for template in QUERIES:
        path = template.format(user=targets.user, product=targets.product, placed=targets.placed)
        get = await shop.read(path)
        head = await shop.client.head(shop.query_url + path)
        assert (get.status_code, head.status_code, head.content) == (200, 200, b""), path
        if "projections" not in path:
            assert head.headers["content-length"] == str(len(get.content)), path
        for name in ("etag", "content-type", "cache-control"):
            assert head.headers.get(name) == get.headers.get(name), path
    missing = await shop.client.head(f"{shop.query_url}/v1/users/{UNKNOWN_ID}")
    assert (missing.status_code, missing.content) == (404, b"")


async def test_every_read_has_a_cache_control(shop: AllTokens) -> None:
    targets = await Targets.create(shop)
    for template in QUERIES:
        path = template.format(user=targets.user, product=targets.product, placed=targets.placed)
        public = template in ("/v1/products", "/v1/products/{product}")
        response = await shop.read(path)
        assert response.headers["cache-control"] == ("no-cache" if public else "private, no-cache")
        assert response.headers["consistency-token"], path
        assert response.headers["content-type"] == "application/json"


async def test_documents_have_their_version_as_etag_and_support_if_none_match(
    shop: AllTokens,
) -> None:
    targets = await Targets.create(shop)
    for path, version in (
        (f"/v1/users/{targets.user}", 1),
        (f"/v1/products/{targets.product}", 5),
        (f"/v1/orders/{targets.shipped}", 2),
    ):
        get = await shop.read(path)
        assert (get.headers["etag"], get.json()["version"]) == (f'"{version}"', version)
        for same in (f'"{version}"', f'W/"{version}"', f'"9999", "{version}"', "*"):
            unchanged = await shop.read(path, If_None_Match=same)
            assert (unchanged.status_code, unchanged.content) == (304, b""), same
            assert unchanged.headers["etag"] == f'"{version}"'
            assert unchanged.headers["consistency-token"]
            assert unchanged.headers["cache-control"] == get.headers["cache-control"]
        for other in ('"9999"', "nonsense", ""):
            assert (await shop.read(path, If_None_Match=other)).status_code == 200
    missing = await shop.read(f"/v1/users/{UNKNOWN_ID}", If_None_Match="*")
    check_problem(missing, 404, "not-found")


async def test_a_read_of_a_missing_document_is_404(shop: AllTokens) -> None:
    await shop.user()
    for id in (UNKNOWN_ID, "nonsense", "1", "%00", UNKNOWN_ID[:-1], UNKNOWN_ID + "0"):
        for template in QUERIES:
            if "{" in template:
                path = template.format(user=id, product=id, placed=id)
                check_problem(await shop.read(path), 404, "not-found")


async def test_every_invalid_field_is_listed_with_its_pointer(shop: AllTokens) -> None:
    assert fields_of(await shop.send("POST", "/v1/users", {})) == {"/name", "/email"}
    body = {"name": "", "description": 1, "price": {"amount": -1}, "stock": 1, "x": 1}
    expected = {"/name", "/description", "/price/amount", "/price/currency", "/x"}
    assert fields_of(await shop.send("POST", "/v1/products", body)) == expected
    assert fields_of(await shop.send("POST", "/v1/users", [])) == {""}


async def test_no_problem_contains_a_personal_value(shop: AllTokens) -> None:
    targets, secret = await Targets.create(shop), "canary7f3a"
    email = f"{secret}@example.org"
    await shop.user(email=email)
    order = order_body(targets.user, (UNKNOWN_ID, 1))
    sent: list[tuple[str, str, Any]] = [
        ("POST", "/v1/users", {"name": "A", "email": email.upper()}),
        ("POST", "/v1/users", {"name": f"{secret}\0", "email": secret}),
        ("POST", "/v1/users", {"name": secret * 100, "email": {secret: secret}}),
        ("POST", "/v1/users", {"name": [secret], "email": f"{secret}@{'x' * 300}"}),
        ("POST", "/v1/users", f"{secret}"),
        ("PUT", f"/v1/users/{targets.user}/email", {"email": email}),
        ("PUT", f"/v1/users/{UNKNOWN_ID}/name", {"name": secret}),
        ("POST", "/v1/orders", {**order, "shipping_address": secret}),
        ("POST", "/v1/orders", {**order, "shipping_address": f"{secret}\x01"}),
        ("POST", "/v1/orders", {**order, "customer_id": secret}),
        ("POST", "/v1/orders", {**order, "items": secret}),
        ("PUT", f"/v1/users/{secret}/name", {"name": "A"}),
    ]
    for method, path, body in sent:
        response = await shop.send(method, path, body)
        assert response.status_code in (400, 404, 409, 422)
        assert secret not in response.text.lower(), response.text
        assert secret not in str(response.headers).lower()


async def test_a_json_body_needs_its_media_type(shop: AllTokens) -> None:
    targets = await Targets.create(shop)
    for name, call in calls(targets).items():
        if call.body is None:
            continue
        for media_type in ("text/plain", "application/jsonx", "application/merge-patch+json", ""):
            response = await shop.client.request(
                call.method,
                shop.command_url + call.path,
                content=b"{}",
                headers={"Content-Type": media_type},
            )
            assert response.status_code == 415, name
            check_problem(response, 415, "unsupported-media-type")
    for media_type in ("application/json; charset=utf-8", "Application/JSON", "application/json;"):
        response = await shop.client.post(
            shop.command_url + "/v1/users",
            content=f'{{"name": "A", "email": "{new_email()}"}}'.encode(),
            headers={"Content-Type": media_type},
        )
        assert response.status_code == 201


async def test_commands_without_fields_accept_an_empty_object_or_no_body(shop: AllTokens) -> None:
    targets = await Targets.create(shop)
    assert (await shop.send("DELETE", f"/v1/products/{targets.product}", {})).status_code == 200
    assert (await shop.send("DELETE", f"/v1/users/{targets.user}")).status_code == 200


@pytest.mark.parametrize("process", ["command-service", "query-service", "relay", "projector"])
async def test_each_process_reports_liveness_readiness_and_metrics(
    stack: Stack, shop: AllTokens, process: str
) -> None:
    url = stack[process].url
    for path in ("/livez", "/readyz", "/metrics"):
        request = shop.client.build_request("GET", url + path)
        del request.headers["Authorization"]
        assert (await shop.client.send(request)).status_code == 200, path
    assert "# TYPE" in (await shop.client.get(url + "/metrics")).text


async def test_documents_of_the_services_need_no_token(shop: AllTokens) -> None:
    documents = [(shop.command_url, "/openapi.json", "openapi")]
    documents += [(shop.query_url, "/openapi.json", "openapi")]
    documents += [(shop.command_url, "/asyncapi.json", "asyncapi")]
    for url, path, field in documents:
        request = shop.client.build_request("GET", url + path)
        del request.headers["Authorization"]
        response = await shop.client.send(request)
        assert (response.status_code, field in response.json()) == (200, True)
    for url in (shop.command_url, shop.query_url):
        request = shop.client.build_request("GET", url + "/docs")
        del request.headers["Authorization"]
        page = await shop.client.send(request)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        for loaded in ("https://", 'src="//', 'href="//'):
            assert loaded not in page.text
