"""Queries of lists of documents, newest first: their operation, and the response with one page."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from typing_extensions import TypedDict

from query_service.consistency import (
    ConsistencyRequirement,
    merged_token,
    parse_consistency_headers,
)
from query_service.http.cursors import encode_cursor
from query_service.http.parameters import (
    Parameters,
    id_bytes,
    parse_id_cursor,
    parse_limit,
    parse_parameters,
)
from query_service.http.responses import list_response
from query_service.pages import Page
from query_service.queries.query import (
    READ_HEADERS,
    READ_PARAMETERS,
    READ_PROBLEMS,
    QueryDependencies,
)
from shared.contracts.documents import OrderDocument
from shared.http.messages import Request, Response
from shared.http.operations import Handler, Operation
from shared.http.parameters import CURSOR, LIMIT, PARKED_HEADER, Parameter

FetchPage = Callable[[str | None, int, ConsistencyRequirement | None], Awaitable[Page]]
"""(last id of the previous page, limit, requirement) -> an attempt at a page."""


LIST_COST: Final = 5.0
"""Of a page, in reads of one document."""


class OrderPage(TypedDict):
    items: list[OrderDocument]
    next: str | None


def list_operation(
    *,
    name: str,
    path: str,
    tag: str,
    page: Any,
    handler: Handler,
    scopes: tuple[str, ...] = (),
    parameters: tuple[Parameter, ...] = (),
    problems: tuple[str, ...] = (),
    description: str = "",
    has_parked_header: bool = True,
) -> Operation:
    """`page` is the model of `{items, next}`."""
    parked_header = {"Tandem-Parked": PARKED_HEADER} if has_parked_header else {}
    return Operation(
        method="GET",
        path=path,
        handler=handler,
        operation_id=name,
        summary=name,
        description=description,
        scopes=scopes,
        response_model=page,
        cost=LIST_COST,
        tags=(tag,),
        problems=(*READ_PROBLEMS, "invalid-field", *problems),
        parameters=(*parameters, LIMIT, CURSOR, *READ_PARAMETERS),
        response_headers={**READ_HEADERS, **parked_header},
    )


def parse_list_request(
    request: Request, dependencies: QueryDependencies, *names: str
) -> tuple[ConsistencyRequirement | None, Parameters]:
    """The requirement, and the parameters `limit`, `cursor` and `names`. Raises 400 and 422."""
    requirement = parse_consistency_headers(request, dependencies.partitions)
    return requirement, parse_parameters(request, ("limit", "cursor", *names))


async def page_response(
    dependencies: QueryDependencies,
    requirement: ConsistencyRequirement | None,
    parameters: Parameters,
    list_key: str,
    fetch_page: FetchPage,
    *,
    private: bool,
    more_positions: Mapping[str, int] | None = None,
) -> Response:
    """One page of a list; `list_key` names the query and its filters."""
    limit, before = parse_limit(parameters), parse_id_cursor(parameters, list_key)
    page = await dependencies.consistency.read(
        requirement, partial(fetch_page, before, limit, requirement)
    )
    next = None if page.last is None else encode_cursor(list_key, id_bytes(page.last))
    token = merged_token(requirement, {**(more_positions or {}), **page.positions})
    return list_response(page.bodies.values(), next, token, private=private, parked=page.parked)
