"""The queries as operations, with what the documentation says of each."""

import inspect
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from query_service.queries.examples import ANSWERS
from query_service.queries.query import Query, QueryDependencies
from query_service.queries.registry import QUERIES
from shared.http.documentation import openapi_document
from shared.http.operations import Operation

_TAGS: Final = {
    "users": "Accounts.",
    "products": "The catalogue. Public, its history aside.",
    "orders": "Orders, as documents and lists.",
    "dashboard": "The shop in numbers.",
    "projections": "Where the views are.",
}
_DESCRIPTION: Final = """\
Queries answer from views that follow the commands within moments.

**Reading your own writes.** Every answer, of a command or a query, carries a `Consistency-Token`. \
Send it, or several joined by commas: the answer is never from before it. A read waits for the \
view, 2 s or as long as `Prefer: wait=<seconds>` says, at most 30, then answers 412 \
`projection-behind`, which is worth sending again.

**Lists** are `{items, next}`, newest first; send `next` as `cursor` for the next page. What \
matches all the time appears exactly once in a walk, anything else at most once.

**Conditions.** Documents carry an `ETag`; with `If-None-Match` an unchanged one is 304. HEAD \
works as GET.

**What is refused** is `application/problem+json` (RFC 9457); its `type` says why, and \
`Retry-After` that the same request is worth sending again. Another's order or account is 404, \
not 403."""


def query_operations(reads: QueryDependencies) -> list[Operation]:
    """One operation for each query."""
    return [_documented(query, query(reads)) for query in QUERIES]


def query_document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The OpenAPI document of the query service."""
    return openapi_document(
        operations,
        title="Tandem queries",
        version="1.0.0",
        description=_DESCRIPTION,
        tags=_TAGS,
    )


def _documented(query: Query, operation: Operation) -> Operation:
    """Each query's module opens with its name and what it answers."""
    text = inspect.getdoc(inspect.getmodule(query)) or ""
    what = text.partition(": ")[2]
    description = " ".join(filter(None, [what[:1].upper() + what[1:], operation.description]))
    example = ANSWERS.get(operation.operation_id)
    return replace(operation, description=description, response_example=example)
