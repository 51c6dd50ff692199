"""The documents of the API: OpenAPI 3.1, generated from the operations, and its page."""

import base64
import hashlib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from typing import Any, Final
from uuid import UUID

import orjson
from fastapi import FastAPI
from fastapi import Response as FastAPIResponse
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import JSONResponse

from shared.http.messages import Request, Response, json_response
from shared.http.operations import Handler, Operation
from shared.http.problem_documents import (
    PROBLEM_SCHEMA,
    problem_responses,
    share_problem_responses,
)
from shared.http.problems import Problem

Json = dict[str, Any]

_SECURITY_SCHEME: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "Signed with an asymmetric key of the JWKS. `sub` is the caller, `scope` lists "
    "what it may do, separated by blanks.",
}
_COST: Final = 5.0
"""Of a document, in reads of one document of the shop: they are large."""
_PAGE_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
_INLINE_SCRIPT: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_ASSETS: Final = {
    "swagger-ui-bundle.js": b"text/javascript; charset=utf-8",
    "swagger-ui.css": b"text/css; charset=utf-8",
    "favicon.png": b"image/png",
}


def openapi_document(
    operations: Iterable[Operation],
    *,
    title: str,
    version: str,
    description: str = "",
    tags: Mapping[str, str] | None = None,
) -> Json:
    """The OpenAPI document of these operations, as FastAPI generates it.

    The operations are only declared to FastAPI: the dispatcher handles all requests, so
    that there is one path through the code, and FastAPI adds no cost to a request. `tags` are
    descriptions of the tags.
    """
    app = FastAPI(
        title=title,
        version=version,
        description=description,
        openapi_tags=[{"name": name, "description": text} for name, text in (tags or {}).items()],
    )
    documented = [operation for operation in operations if not operation.operational]
    for operation in documented:
        _declare(app, operation)
    document: Json = app.openapi()
    for operation in documented:
        _add_examples(document, operation)
    _replace_validation_errors(document)
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
    components["securitySchemes"] = {"bearer": _SECURITY_SCHEME}
    components["responses"] = share_problem_responses(document)
    converted: Json = _integers(document)
    return converted


def documentation_operations(document: Json) -> list[Operation]:
    """`/openapi.json`, and `/docs` with all its files, so that it works offline."""
    title = document["info"]["title"]
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=title,
        swagger_js_url="docs/assets/swagger-ui-bundle.js",
        swagger_css_url="docs/assets/swagger-ui.css",
        swagger_favicon_url="docs/assets/favicon.png",
    )
    html = (b"content-type", b"text/html; charset=utf-8")
    policy = (b"content-security-policy", _content_security_policy(bytes(page.body)))
    return [
        document_operation("/openapi.json", orjson.dumps(document)),
        _page("/docs", _always(Response(200, bytes(page.body), [html, policy, *_PAGE_HEADERS]))),
        _page("/docs/assets/{name}", _assets()),
    ]


def document_operation(path: str, document: bytes) -> Operation:
    """A document that is already encoded as JSON."""
    return _page(path, _always(json_response(200, document, *_PAGE_HEADERS)))


def _content_security_policy(page: bytes) -> bytes:
    """Everything comes from this service, and only the page's own inline scripts run."""
    digests = [hashlib.sha256(script).digest() for script in _INLINE_SCRIPT.findall(page)]
    hashes = "".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src 'self'{hashes}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ).encode()


def _declare(app: FastAPI, operation: Operation) -> None:
    app.add_api_route(
        operation.path,
        _endpoint(operation),
        methods=[operation.method],
        operation_id=operation.operation_id,
        summary=operation.summary,
        description=operation.description,
        tags=list(operation.tags),
        status_code=operation.success_status,
        response_model=operation.response_model,
        response_class=_response_class(operation.media_type),
        responses={
            operation.success_status: _success(operation),
            **{status: {"description": text} for status, text in operation.responses.items()},
            **problem_responses(operation),
        },
        openapi_extra={
            "security": _security(operation),
            "parameters": [dict(parameter) for parameter in operation.parameters],
            **operation.openapi,
        },
    )


def _success(operation: Operation) -> Json:
    success: Json = {"description": "Done." if operation.reads_body else "As it is now."}
    if operation.response_headers:
        success["headers"] = dict(operation.response_headers)
    return success


def _add_examples(document: Json, operation: Operation) -> None:
    """Separately, because FastAPI omits null values."""
    declared = document["paths"][operation.path][operation.method.lower()]
    if operation.request_example is not None:
        body = declared["requestBody"]["content"]["application/json"]
        body["example"] = operation.request_example
    if operation.response_example is not None:
        response = declared["responses"][str(operation.success_status)]
        response["content"][operation.media_type]["example"] = operation.response_example


def _endpoint(operation: Operation) -> Callable[..., Any]:
    """A function with the signature that FastAPI documents. It is never called."""

    async def declared() -> None:
        raise AssertionError("the dispatcher handles all requests")

    keyword = inspect.Parameter.KEYWORD_ONLY
    names = re.findall(r"{(\w+)}", operation.path)
    parameters = [inspect.Parameter(name, keyword, annotation=UUID) for name in names]
    if operation.request_model is not None:
        body = inspect.Parameter("body", keyword, annotation=operation.request_model)
        parameters.append(body)
    declared.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return declared


def _response_class(media_type: str) -> type[FastAPIResponse]:
    if media_type == "application/json":
        return JSONResponse
    return type("DeclaredResponse", (FastAPIResponse,), {"media_type": media_type})


def _security(operation: Operation) -> list[Json]:
    """Any one of the entries suffices; an empty one represents a request without a token."""
    if not operation.scopes:
        return [{}, {"bearer": []}]
    return [{"bearer": [scope]} for scope in operation.scopes]


def _replace_validation_errors(document: Json) -> None:
    """Removes FastAPI's response to invalid requests, which the dispatcher never sends."""
    for methods in document.get("paths", {}).values():
        for operation in methods.values():
            response = operation["responses"].get("422", {})
            if "application/json" in response.get("content", {}):
                del operation["responses"]["422"]
    schemas = document.get("components", {}).get("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)


def _integers(value: Any) -> Any:
    """FastAPI encodes the limits of integers as `200.0`."""
    if isinstance(value, dict):
        return {key: _integers(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_integers(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _page(path: str, handler: Handler) -> Operation:
    return Operation(
        method="GET",
        path=path,
        handler=handler,
        operation_id="documentation",
        cost=_COST,
        summary="The API's own documents",
        operational=True,
    )


def _always(response: Response) -> Handler:
    async def handle(_request: Request) -> Response:
        return response

    return handle


def _assets() -> Handler:
    folder = files("fastapi_offline") / "static"
    cached = (b"cache-control", b"max-age=3600")
    responses = {
        name: Response(
            200,
            (folder / name).read_bytes(),
            [(b"content-type", media_type), cached, *_PAGE_HEADERS],
        )
        for name, media_type in _ASSETS.items()
    }

    async def handle(request: Request) -> Response:
        response = responses.get(request.path_params["name"])
        if response is None:
            raise Problem("not-found", "there is no such resource")
        return response

    return handle
