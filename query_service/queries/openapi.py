"""The operations of all queries, and the OpenAPI document."""

import inspect
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from query_service.queries.examples import RESPONSES
from query_service.queries.query import Query, QueryDependencies
from query_service.queries.registry import QUERIES
from shared.http.documentation import openapi_document
from shared.http.operations import Operation

_TAGS: Final = {
    "users": "Accounts.",
    "products": "The catalogue. Public, except for the history.",
    "orders": "Orders, as documents and lists.",
    "dashboard": "The figures of the shop.",
    "projections": "The state of the views.",
}
_DESCRIPTION: Final = """\
Queries read views, which usually contain an event within milliseconds after its command.

**Reading your own writes.** Every response, of a command or a query, has a `Consistency-Token`. \
Send it, or several separated by commas, to get a response that covers the same events. If the \
view does not contain them yet, the request waits for 2 s, or for `Prefer: wait=<seconds>`, at \
most 30 s. It then fails with 412 `projection-behind` and can be retried.

**Lists** are `{items, next}`, newest first; send `next` as `cursor` to get the next page. An item \
that matches during the complete traversal is returned exactly once, any other at most once.

**Conditional requests.** Documents have an `ETag`; with a matching `If-None-Match` the response \
is 304. HEAD works like GET.

**Errors** are `application/problem+json` (RFC 9457). Their `type` is the reason; `Retry-After` \
means that the same request can be retried. Resources that belong to another user are reported as \
404, not 403."""


def query_operations(dependencies: QueryDependencies) -> list[Operation]:
    """One operation per query."""
    return [_documented(query, query(dependencies)) for query in QUERIES]


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
    """Takes the description from the docstring of the query's module, after the name."""
    docstring = inspect.getdoc(inspect.getmodule(query)) or ""
    text = docstring.partition(": ")[2]
    description = " ".join(filter(None, [text[:1].upper() + text[1:], operation.description]))
    example = RESPONSES.get(operation.operation_id)
    return replace(operation, description=description, response_example=example)
