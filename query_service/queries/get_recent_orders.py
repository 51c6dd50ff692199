"""GetRecentOrders: everybody's orders, or those of one status, newest first."""

from typing import Final, get_args

from query_service.consistency import ConsistencyRequirement
from query_service.http.parameters import Parameters
from query_service.pages import Page
from query_service.queries.list_query import asked, list_answer, list_operation
from query_service.queries.order_page import OrderPage
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


def get_recent_orders(reads: QueryDependencies) -> Operation:
    shards = shards_of_topic("orders", reads.partitions)

    async def answer(request: Request) -> Response:
        wanted, parameters = asked(request, reads, "status")
        status = _status_of(parameters)
        indexes = {s: status_key(s, status) if status else ids_key(s) for s in shards}

        async def fetch(
            before: str | None, limit: int, wanted: ConsistencyRequirement | None
        ) -> Page:
            still = _written(status) if status else b""
            return await reads.pages.page("orders", indexes, before, limit, wanted, still)

        walk = f"orders {status}"
        return await list_answer(reads, wanted, parameters, walk, fetch, private=True)

    return list_operation(
        name="GetRecentOrders",
        path="/v1/orders",
        topic="orders",
        page=OrderPage,
        handler=answer,
        scopes=("orders:read:all",),
        parameters=(_STATUS,),
    )


def _status_of(parameters: Parameters) -> str | None:
    status = parameters.get("status")
    if status is not None and status not in _STATUSES:
        raise invalid_field("/status", f"must be one of {', '.join(_STATUSES)}")
    return status


def _written(status: str) -> bytes:
    """As it stands in an order's body, and nowhere else: within a string, quotes are escaped."""
    return f'"status":"{status}"'.encode()
