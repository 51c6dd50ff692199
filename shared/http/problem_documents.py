"""How problems stand in the OpenAPI document: which ones an operation answers, their shape."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from shared.http.operations import Operation
from shared.http.problems import MEDIA_TYPE, PROBLEM_TYPES, TYPE_BASE

Json = dict[str, Any]

PROBLEM_SCHEMA: Final[Json] = {
    "title": "Problem",
    "description": "RFC 9457. `errors` stands there for `invalid-field` only. No part of it quotes "
    "a value of the request.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "examples": [TYPE_BASE + "not-found"]},
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


def problem_answers(operation: Operation) -> dict[int | str, Json]:
    """The answers for what the dispatcher and the operation may refuse, by status."""
    names: defaultdict[int, dict[str, None]] = defaultdict(dict)
    for name in (*_from_dispatcher(operation), *operation.problems):
        names[PROBLEM_TYPES[name].status][name] = None
    return {status: _answer(list(found)) for status, found in sorted(names.items())}


def _from_dispatcher(operation: Operation) -> Iterator[str]:
    yield "unauthorized"
    if operation.scopes:
        yield "forbidden"
        yield "too-many-requests"
    if operation.reads_body:
        yield "malformed-request"
        yield "too-large"
    if operation.request_model is not None:
        yield "unsupported-media-type"
        yield "invalid-field"
    yield "unavailable"


def _answer(names: list[str]) -> Json:
    types = [PROBLEM_TYPES[name] for name in names]
    headers = sorted({header for kind in types for header in kind.default_headers})
    answer: Json = {
        "description": "; ".join(f"`{kind.name}`: {kind.title}" for kind in types),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if headers:
        answer["headers"] = {header: {"schema": {"type": "string"}} for header in headers}
    return answer
