"""GetRecentOrders: the orders of all customers, optionally of one status, newest first."""

from typing import Final, get_args

from query_service.consistency import ConsistencyRequirement
from query_service.http.parameters import Parameters
from query_service.pages import Page
from query_service.queries.list_query import (
    OrderPage,
    list_operation,
    page_response,
    parse_list_request,
)
from query_service.queries.query import QueryDependencies
from shared.contracts.documents import OrderStatus
from shared.contracts.shards import shards_of_topic
from shared.contracts.views import ids_key, status_key
from shared.http.messages import Request, Response
from shared.http.operations import Operation
from shared.http.parameters import query
from shared.http.problems import invalid_field

_STATUSES: Final = get_args(OrderStatus)
_STATUS: Final = query("status", "Only orders of this status.", enum=list(_STATUSES))


def get_recent_orders(dependencies: QueryDependencies) -> Operation:
    shards = shards_of_topic("orders", dependencies.partitions)

    async def handle(request: Request) -> Response:
        requirement, parameters = parse_list_request(request, dependencies, "status")
        status = _parse_status(parameters)
        indexes = {s: status_key(s, status) if status else ids_key(s) for s in shards}
        # Matches only the order's own field: within strings, JSON escapes quotes.
        must_contain = f'"status":"{status}"'.encode() if status else b""

        async def fetch_page(
            before: str | None, limit: int, requirement: ConsistencyRequirement | None
        ) -> Page:
            return await dependencies.pages.page(
                "orders", indexes, before, limit, requirement, must_contain
            )

        return await page_response(
            dependencies, requirement, parameters, f"orders {status}", fetch_page, private=True
        )

    return list_operation(
        name="GetRecentOrders",
        path="/v1/orders",
        topic="orders",
        page=OrderPage,
        handler=handle,
        scopes=("orders:read:all",),
        parameters=(_STATUS,),
    )


def _parse_status(parameters: Parameters) -> str | None:
    status = parameters.get("status")
    if status is not None and status not in _STATUSES:
        raise invalid_field("/status", f"must be one of {', '.join(_STATUSES)}")
    return status
