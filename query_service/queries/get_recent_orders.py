"""GetRecentOrders: all orders, optionally of one status or payment status, newest first."""

from collections.abc import Sequence
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
from shared.contracts.documents import OrderStatus, PaymentStatus
from shared.contracts.shards import shards_of_topic
from shared.contracts.views import ids_key, payment_key, status_key
from shared.http.messages import Request, Response
from shared.http.operations import Operation
from shared.http.parameters import query
from shared.http.problems import invalid_field

_STATUSES: Final = get_args(OrderStatus)
_PAYMENTS: Final = get_args(PaymentStatus)
_STATUS: Final = query("status", "Only orders of this status.", enum=list(_STATUSES))
_PAYMENT: Final = query("payment", "Only orders of this payment status.", enum=list(_PAYMENTS))


def get_recent_orders(dependencies: QueryDependencies) -> Operation:
    shards = shards_of_topic("orders", dependencies.partitions)

    async def handle(request: Request) -> Response:
        requirement, parameters = parse_list_request(request, dependencies, "status", "payment")
        status = _parse_choice(parameters, "status", _STATUSES)
        payment = _parse_choice(parameters, "payment", _PAYMENTS)
        indexes = {shard: _index(shard, status, payment) for shard in shards}
        must_contain = _fields(status, payment)

        async def fetch_page(
            before: str | None, limit: int, requirement: ConsistencyRequirement | None
        ) -> Page:
            return await dependencies.pages.page(
                "orders", indexes, before, limit, requirement, must_contain
            )

        list_key = f"orders {status} {payment}"
        return await page_response(
            dependencies, requirement, parameters, list_key, fetch_page, private=True
        )

    return list_operation(
        name="GetRecentOrders",
        path="/v1/orders",
        tag="orders",
        page=OrderPage,
        handler=handle,
        scopes=("orders:read:all",),
        parameters=(_STATUS, _PAYMENT),
    )


def _parse_choice(parameters: Parameters, name: str, choices: Sequence[str]) -> str | None:
    value = parameters.get(name)
    if value is not None and value not in choices:
        raise invalid_field(f"/{name}", f"must be one of {', '.join(choices)}")
    return value


def _index(shard: str, status: str | None, payment: str | None) -> str:
    """The index to read. Orders without a payment have no index of their own."""
    if payment is not None and payment != "none":
        return payment_key(shard, payment)
    return status_key(shard, status) if status else ids_key(shard)


def _fields(status: str | None, payment: str | None) -> tuple[bytes, ...]:
    """What the body of each such order contains, and of no other.

    Within strings, JSON escapes quotes; no status of an order is one of a payment.
    """
    fields = []
    if status:
        fields.append(f'"status":"{status}"'.encode())
    if payment:
        fields.append(f'"payment":{{"status":"{payment}"'.encode())
    return tuple(fields)
