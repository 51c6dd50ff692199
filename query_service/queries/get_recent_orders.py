"""GetRecentOrders: all orders, or those of one status or payment status, newest first."""

from collections.abc import Sequence
from typing import Final, get_args

from query_service.consistency import ConsistencyRequirement
from query_service.http.parameters import Parameters
from query_service.pages import Page
from query_service.queries.list_query import asked, list_answer, list_operation
from query_service.queries.order_page import OrderPage
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


def get_recent_orders(reads: QueryDependencies) -> Operation:
    shards = shards_of_topic("orders", reads.partitions)

    async def answer(request: Request) -> Response:
        wanted, parameters = asked(request, reads, "status", "payment")
        status = _one_of(parameters, "status", _STATUSES)
        payment = _one_of(parameters, "payment", _PAYMENTS)
        indexes = {shard: _index(shard, status, payment) for shard in shards}
        must_contain = _fields(status, payment)

        async def fetch(
            before: str | None, limit: int, wanted: ConsistencyRequirement | None
        ) -> Page:
            return await reads.pages.page("orders", indexes, before, limit, wanted, must_contain)

        walk = f"orders {status} {payment}"
        return await list_answer(reads, wanted, parameters, walk, fetch, private=True)

    return list_operation(
        name="GetRecentOrders",
        path="/v1/orders",
        topic="orders",
        page=OrderPage,
        handler=answer,
        scopes=("orders:read:all",),
        parameters=(_STATUS, _PAYMENT),
    )


def _one_of(parameters: Parameters, name: str, values: Sequence[str]) -> str | None:
    value = parameters.get(name)
    if value is not None and value not in values:
        raise invalid_field(f"/{name}", f"must be one of {', '.join(values)}")
    return value


def _index(shard: str, status: str | None, payment: str | None) -> str:
    """The index to read. Orders without a payment have no index of their own."""
    if payment is not None and payment != "none":
        return payment_key(shard, payment)
    return status_key(shard, status) if status else ids_key(shard)


def _fields(status: str | None, payment: str | None) -> tuple[bytes, ...]:
    """What the body of each such order contains, and of no other.

    Quotes within strings are escaped; no status of an order is one of a payment.
    """
    fields = []
    if status:
        fields.append(f'"status":"{status}"'.encode())
    if payment:
        fields.append(f'"payment":{{"status":"{payment}"'.encode())
    return tuple(fields)
