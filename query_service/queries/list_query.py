"""A list of documents, newest first: what its operation declares, and how a page is answered."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from query_service.consistency import (
    ConsistencyRequirement,
    merged_token,
    parse_consistency_headers,
)
from query_service.http.cursors import encode_cursor
from query_service.http.parameters import (
    Parameters,
    id_cursor,
    id_place,
    limit_of,
    read_parameters,
)
from query_service.http.responses import list_response
from query_service.pages import Page
from query_service.queries.query import (
    READ_HEADERS,
    READ_PARAMETERS,
    READ_PROBLEMS,
    QueryDependencies,
)
from shared.contracts.shards import Topic
from shared.http.messages import Request, Response
from shared.http.operations import Handler, Operation
from shared.http.parameters import CURSOR, LIMIT, PARKED_HEADER, Parameter

Fetch = Callable[[str | None, int, ConsistencyRequirement | None], Awaitable[Page]]
"""(id that the page is to begin after, items, token) -> an attempt at a page."""


def list_operation(
    *,
    name: str,
    path: str,
    topic: Topic,
    page: Any,
    handler: Handler,
    scopes: tuple[str, ...] = (),
    parameters: tuple[Parameter, ...] = (),
    problems: tuple[str, ...] = (),
    description: str = "",
    tells_parked: bool = True,
) -> Operation:
    """`page` is the model of `{items, next}`."""
    headers = {**READ_HEADERS, "Tandem-Parked": PARKED_HEADER} if tells_parked else READ_HEADERS
    return Operation(
        method="GET",
        path=path,
        handler=handler,
        operation_id=name,
        summary=name,
        description=description,
        scopes=scopes,
        response_model=page,
        tags=(topic,),
        problems=(*READ_PROBLEMS, "invalid-field", *problems),
        parameters=(*parameters, LIMIT, CURSOR, *READ_PARAMETERS),
        response_headers=headers,
    )


async def list_answer(
    reads: QueryDependencies,
    wanted: ConsistencyRequirement | None,
    parameters: Parameters,
    walk: str,
    fetch: Fetch,
    *,
    private: bool,
    also_read: Mapping[str, int] | None = None,
) -> Response:
    """A page of the walk that `walk` names: the query and its filters."""
    limit, before = limit_of(parameters), id_cursor(parameters, walk)
    page = await reads.consistency.answer(wanted, partial(fetch, before, limit, wanted))
    next = None if page.last is None else encode_cursor(walk, id_place(page.last))
    token = merged_token(wanted, {**(also_read or {}), **page.read})
    return list_response(page.bodies.values(), next, token, private=private, parked=page.parked)


def asked(
    request: Request, reads: QueryDependencies, *names: str
) -> tuple[ConsistencyRequirement | None, Parameters]:
    """The token and the parameters of a list's request. Raises 400 and 422."""
    wanted = parse_consistency_headers(request, reads.partitions)
    return wanted, read_parameters(request, ("limit", "cursor", *names))
