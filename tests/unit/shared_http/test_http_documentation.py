"""The generated OpenAPI document and the page that shows it."""

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from shared.http.dispatch import Dispatcher
from shared.http.documentation import documentation_operations, openapi_document
from shared.http.messages import Request, Response
from shared.http.operations import Operation
from shared.http.parameters import CONSISTENCY_TOKEN, ETAG_HEADER, IDEMPOTENCY_KEY

Call = Callable[..., Any]


CSP = "content-security-policy"


class Ship(BaseModel):
    carrier: str


class Done(BaseModel):
    id: str
    version: int


async def nothing(_request: Request) -> Response:
    return Response(200)


OPERATIONS = [
    Operation(
        method="POST",
        path="/v1/orders/{id}/ship",
        handler=nothing,
        operation_id="shipOrder",
        summary="ShipOrder",
        scopes=("orders:write:all",),
        request_model=Ship,
        response_model=Done,
        success_status=201,
        problems=("not-found", "order-state", "product-retired"),
        parameters=(IDEMPOTENCY_KEY,),
        response_headers={"ETag": ETAG_HEADER},
        tags=("orders",),
    ),
    Operation(
        method="GET",
        path="/v1/products/{id}",
        handler=nothing,
        operation_id="getProduct",
        summary="GetProduct",
        response_model=Done,
        responses={304: "The client's copy is the present one."},
        response_example={"id": "p", "version": None},
        parameters=(CONSISTENCY_TOKEN,),
    ),
    Operation(
        method="GET",
        path="/v1/dashboard/stream",
        handler=nothing,
        operation_id="streamDashboard",
        summary="stream",
        media_type="text/event-stream",
        scopes=("orders:read", "orders:read:all"),
    ),
    Operation(
        method="GET",
        path="/livez",
        handler=nothing,
        operation_id="livez",
        summary="",
        operational=True,
    ),
]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document(OPERATIONS, title="Commands", version="1.0.0", description="d")


def test_it_is_openapi_3_1_of_the_declared_operations(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        "/v1/orders/{id}/ship",
        "/v1/products/{id}",
        "/v1/dashboard/stream",
    }


def test_a_command_names_its_models_headers_and_responses(document: dict[str, Any]) -> None:
    ship = document["paths"]["/v1/orders/{id}/ship"]["post"]
    body = ship["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Ship"}
    assert ship["requestBody"]["required"]
    assert [(p["in"], p["name"]) for p in ship["parameters"]] == [
        ("path", "id"),
        ("header", "Idempotency-Key"),
    ]
    created = ship["responses"]["201"]
    assert created["headers"] == {"ETag": ETAG_HEADER}
    assert created["content"]["application/json"]["schema"]["$ref"].endswith("/Done")
    assert sorted(ship["responses"]) == [
        *("201", "400", "401", "403", "404", "409", "413", "415", "422", "429", "503")
    ]


def test_problems_are_shared_responses_that_name_their_types(document: dict[str, Any]) -> None:
    responses = document["paths"]["/v1/orders/{id}/ship"]["post"]["responses"]
    assert responses["409"] == {"$ref": "#/components/responses/order-state.product-retired"}
    shared = document["components"]["responses"]
    conflict = shared["order-state.product-retired"]
    assert "`order-state`" in conflict["description"]
    content = conflict["content"]["application/problem+json"]
    assert list(content["examples"]) == ["order-state", "product-retired"]
    types = content["schema"]["properties"]["type"]["enum"]
    assert [type.rpartition("/")[2] for type in types] == ["order-state", "product-retired"]
    assert "WWW-Authenticate" in shared["unauthorized"]["headers"]


def test_an_example_keeps_what_is_null(document: dict[str, Any]) -> None:
    response = document["paths"]["/v1/products/{id}"]["get"]["responses"]["200"]
    assert response["content"]["application/json"]["example"] == {"id": "p", "version": None}


def test_a_query_has_no_validation_response_of_fastapis(document: dict[str, Any]) -> None:
    product = document["paths"]["/v1/products/{id}"]["get"]
    assert sorted(product["responses"]) == ["200", "304", "400", "401", "429", "503"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert "Problem" in document["components"]["schemas"]


def test_any_of_the_scopes_admits_in_the_document_too(document: dict[str, Any]) -> None:
    paths = document["paths"]
    assert paths["/v1/products/{id}"]["get"]["security"] == [{}, {"bearer": []}]
    stream = paths["/v1/dashboard/stream"]["get"]
    assert stream["security"] == [{"bearer": ["orders:read"]}, {"bearer": ["orders:read:all"]}]
    assert list(stream["responses"]["200"]["content"]) == ["text/event-stream"]


def test_every_reference_resolves(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in re.findall(r"#/components/schemas/(\w+)", str(document)):
        assert name in schemas


async def test_the_page_works_offline(call: Call, document: dict[str, Any]) -> None:
    app = Dispatcher(
        documentation_operations(document), authenticator=None, registry=CollectorRegistry()
    )
    page = await call(app, "GET", "/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    links = re.findall(r'(?:src|href)="([^"]+)"', page.body.decode())
    assert len(links) == 3
    for link in links:
        assert (await call(app, "GET", f"/{link}")).status == 200
    assert b"https://" not in page.body
    assert (await call(app, "GET", "/openapi.json")).json() == document
    assert (await call(app, "GET", "/docs/assets/core.py")).status == 404


async def test_the_page_runs_and_loads_only_what_the_service_sends(
    call: Call, document: dict[str, Any]
) -> None:
    app = Dispatcher(
        documentation_operations(document), authenticator=None, registry=CollectorRegistry()
    )
    page = await call(app, "GET", "/docs")
    policy = dict(part.strip().split(" ", 1) for part in page.headers[CSP].split(";"))
    [script] = re.findall(rb"<script>(.*?)</script>", page.body, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == f"'self' 'sha256-{digest}'"
    assert policy["frame-ancestors"] == "'none'"
    for path in ("/docs", "/openapi.json", "/docs/assets/swagger-ui.css"):
        headers = (await call(app, "GET", path)).headers
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == (
            "nosniff",
            "DENY",
        )
