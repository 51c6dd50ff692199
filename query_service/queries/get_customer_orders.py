"""GetCustomerOrders: one customer's orders, newest first. All stand in one shard."""

from functools import partial

from query_service.consistency import ConsistencyRequirement, merged_token
from query_service.http.parameters import path_id
from query_service.http.responses import not_found
from query_service.pages import Page
from query_service.queries.access import reaches
from query_service.queries.list_query import asked, list_answer, list_operation
from query_service.queries.order_page import OrderPage
from query_service.queries.query import QueryDependencies
from shared.contracts.shards import shard_of
from shared.contracts.views import customer_key
from shared.http.messages import Request, Response
from shared.http.operations import Operation
from shared.http.problems import unavailable

_UNRESTRICTED_SCOPE = "orders:read:all"


def get_customer_orders(reads: QueryDependencies) -> Operation:
    return list_operation(
        name="GetCustomerOrders",
        path="/v1/users/{id}/orders",
        topic="orders",
        page=OrderPage,
        handler=partial(_answer, reads),
        scopes=("orders:read", _UNRESTRICTED_SCOPE),
        problems=("not-found",),
    )


async def _answer(reads: QueryDependencies, request: Request) -> Response:
    wanted, parameters = asked(request, reads)
    customer = path_id(request)
    if customer is None or not reaches(request.caller, customer, _UNRESTRICTED_SCOPE):
        raise not_found(merged_token(wanted, {}), private=True)
    shard = shard_of("orders", customer, reads.partitions)
    indexes = {shard: customer_key(shard, customer)}

    async def fetch(before: str | None, limit: int, wanted: ConsistencyRequirement | None) -> Page:
        return await reads.pages.page("orders", indexes, before, limit, wanted)

    read = await _existing(reads, customer, wanted)
    walk = f"orders of {customer}"
    return await list_answer(reads, wanted, parameters, walk, fetch, private=True, also_read=read)


async def _existing(
    reads: QueryDependencies, customer: str, wanted: ConsistencyRequirement | None
) -> dict[str, int]:
    """Where the user was found. Raises 404 for an unknown or erased one, and 503."""
    user = await reads.documents.find("users", customer, wanted)
    if user.withheld:
        raise unavailable("an event that the token stands for is parked")
    if user.stored is None:
        raise not_found(merged_token(wanted, user.read), private=True)
    return user.read
