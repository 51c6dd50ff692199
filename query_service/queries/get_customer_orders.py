"""GetCustomerOrders: the orders of one customer, newest first."""

from functools import partial

from query_service.consistency import ConsistencyRequirement, merged_token
from query_service.http.parameters import parse_path_id
from query_service.http.responses import not_found
from query_service.pages import Page
from query_service.queries.access import PARKED, may_access
from query_service.queries.list_query import (
    OrderPage,
    list_operation,
    page_response,
    parse_list_request,
)
from query_service.queries.query import QueryDependencies
from shared.contracts.shards import shard_of
from shared.contracts.views import customer_key
from shared.http.messages import Request, Response
from shared.http.operations import Operation
from shared.http.problems import unavailable

_UNRESTRICTED_SCOPE = "orders:read:all"


def get_customer_orders(dependencies: QueryDependencies) -> Operation:
    return list_operation(
        name="GetCustomerOrders",
        path="/v1/users/{id}/orders",
        tag="orders",
        page=OrderPage,
        handler=partial(_handle, dependencies),
        scopes=("orders:read", _UNRESTRICTED_SCOPE),
        problems=("not-found",),
    )


async def _handle(dependencies: QueryDependencies, request: Request) -> Response:
    requirement, parameters = parse_list_request(request, dependencies)
    customer = parse_path_id(request)
    if customer is None or not may_access(request.caller, customer, _UNRESTRICTED_SCOPE):
        raise not_found(merged_token(requirement, {}), private=True)
    # Orders are in the shard that their customer's placement determines.
    shard = shard_of("orders", customer, dependencies.partitions)
    indexes = {shard: customer_key(shard, customer)}

    async def fetch_page(
        before: str | None, limit: int, requirement: ConsistencyRequirement | None
    ) -> Page:
        return await dependencies.pages.page("orders", indexes, before, limit, requirement)

    return await page_response(
        dependencies,
        requirement,
        parameters,
        f"orders of {customer}",
        fetch_page,
        private=True,
        more_positions=await _require_user(dependencies, customer, requirement),
    )


async def _require_user(
    dependencies: QueryDependencies, id: str, requirement: ConsistencyRequirement | None
) -> dict[str, int]:
    """The position at which the user exists. Raises 404 for an unknown or erased user, and 503."""
    user = await dependencies.documents.find("users", id, requirement)
    if user.lacks_parked_event:
        raise unavailable(PARKED)
    if user.stored is None:
        raise not_found(merged_token(requirement, user.positions), private=True)
    return user.positions
