"""`GET /`: links to what a service offers, for a person who opens its address."""

from collections.abc import Mapping

import orjson

from shared.http.messages import Request, Response, json_response
from shared.http.operations import Operation

HEALTH_LINKS = {"liveness": "/livez", "readiness": "/readyz", "metrics": "/metrics"}
DOCUMENT_LINKS = {"documentation": "/docs", "openapi": "/openapi.json"}


def index_operation(service: str, links: Mapping[str, str]) -> Operation:
    """`links`: names and paths."""
    response = json_response(
        200,
        orjson.dumps({"service": service, "links": dict(links)}),
        (b"cache-control", b"no-cache"),
    )

    async def respond(_request: Request) -> Response:
        return response

    return Operation(
        method="GET",
        path="/",
        handler=respond,
        operation_id="index",
        summary="Links to what the service offers",
        operational=True,
    )
