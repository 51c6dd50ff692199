"""The problems of each operation in the OpenAPI document, and their schema."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from shared.contracts.names import PROBLEM_BASE
from shared.http.operations import Operation
from shared.http.parameters import response_header
from shared.http.problems import MEDIA_TYPE, PROBLEM_TYPES, ProblemType

Json = dict[str, Any]

PROBLEM_SCHEMA: Final[Json] = {
    "title": "Problem",
    "description": "RFC 9457. `errors` is present for `invalid-field` only. No part of it quotes "
    "a value of the request.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "examples": [PROBLEM_BASE + "not-found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {
                    "field": {"type": "string", "description": "A JSON pointer."},
                    "message": {"type": "string"},
                },
            },
        },
    },
}


_RETRY: Final = "Seconds after which the same request can be retried."
_HEADERS: Final[Json] = {
    "Retry-After": dict(response_header(_RETRY)),
    "WWW-Authenticate": dict(response_header("What is missing (RFC 6750).", required=True)),
}


def problem_responses(operation: Operation) -> dict[int | str, Json]:
    """The responses with problems of the dispatcher and of the operation, by status."""
    names: defaultdict[int, dict[str, None]] = defaultdict(dict)
    for name in (*_from_dispatcher(operation), *operation.problems):
        names[PROBLEM_TYPES[name].status][name] = None
    return {
        status: _problem_response(status, list(found)) for status, found in sorted(names.items())
    }


def share_problem_responses(document: Json) -> Json:
    """Replaces each problem response by a reference. Returns all of them, by their types."""
    shared: Json = {}
    for methods in document.get("paths", {}).values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                if MEDIA_TYPE in response.get("content", {}):
                    name = ".".join(response["content"][MEDIA_TYPE]["examples"])
                    shared[name] = response
                    reference = {"$ref": f"#/components/responses/{name}"}
                    operation["responses"][status] = reference
    return dict(sorted(shared.items()))


def _from_dispatcher(operation: Operation) -> Iterator[str]:
    yield "unauthorized"
    if operation.scopes:
        yield "forbidden"
    yield "too-many-requests"
    yield "malformed-request"
    if operation.reads_body:
        yield "too-large"
    if operation.request_model is not None:
        yield "unsupported-media-type"
        yield "invalid-field"
    yield "unavailable"


def _problem_response(status: int, names: list[str]) -> Json:
    types = [PROBLEM_TYPES[name] for name in names]
    headers = sorted({header for kind in types for header in kind.default_headers})
    response: Json = {
        "description": "; ".join(f"`{kind.name}`: {kind.title}" for kind in types),
        "content": {
            MEDIA_TYPE: {
                "schema": _schema(status, types),
                "examples": {kind.name: {"value": _example(kind)} for kind in types},
            }
        },
    }
    if headers:
        response["headers"] = {header: _HEADERS[header] for header in headers}
    return response


def _schema(status: int, types: list[ProblemType]) -> Json:
    """The problem, restricted to the types and the status that it can have here."""
    narrowed = {
        "type": {"type": "string", "enum": [PROBLEM_BASE + kind.name for kind in types]},
        "status": {"type": "integer", "const": status},
    }
    return {
        "allOf": [{"$ref": "#/components/schemas/Problem"}],
        "type": "object",
        "properties": narrowed,
    }


def _example(kind: ProblemType) -> Json:
    example: Json = {
        "type": PROBLEM_BASE + kind.name,
        "title": kind.title,
        "status": kind.status,
        "detail": kind.title,
    }
    if kind.name == "invalid-field":
        example["errors"] = [{"field": "/items/0/quantity", "message": "is required"}]
    return example
