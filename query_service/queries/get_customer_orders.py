"""GetCustomerOrders: the orders of one customer, newest first."""

from datetime import datetime
from functools import partial
from typing import Final

import orjson

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
from shared.contracts.documents import OrderDocument
from shared.contracts.shards import shard_of
from shared.contracts.views import (
    checkpoint_key,
    customer_key,
    decode_checkpoint,
    decode_head,
    head_key,
)
from shared.http.messages import Request, Response
from shared.http.operations import Operation
from shared.http.problems import unavailable

_UNRESTRICTED_SCOPE = "orders:read:all"
_CLOCK_TOLERANCE_S: Final = 5.0
"""By which the clocks of the database and of a projector may differ."""


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
    """The position of the user's shard. Raises 404 for an unknown or erased user, and 503.

    An order that the token covers proves that its customer existed before it was placed. The
    position of the users' shard is not a part of that token.
    """
    user = await dependencies.documents.find("users", id, requirement)
    if user.lacks_parked_event:
        raise unavailable(PARKED)
    if user.stored is None and not await _may_exist(dependencies, id, requirement):
        raise not_found(merged_token(requirement, user.positions), private=True)
    return user.positions


async def _may_exist(
    dependencies: QueryDependencies, id: str, requirement: ConsistencyRequirement | None
) -> bool:
    """Whether the users' view may lag behind an order of the customer, who is not erased in it.

    Raises 503 instead of True if the token covers events of the users' shard: the erasure may be
    one of them.
    """
    shard = shard_of("orders", id, dependencies.partitions)
    if requirement is None or shard not in requirement.positions:
        return False
    attempt = partial(
        dependencies.pages.page, "orders", {shard: customer_key(shard, id)}, None, 1, requirement
    )
    page = await dependencies.consistency.read(requirement, attempt)
    for body in page.bodies.values():
        order: OrderDocument = orjson.loads(body)
        users = shard_of("users", id, dependencies.partitions)
        if order["customer_name"] is None or await _contains_customer(dependencies, users, order):
            return False
        if users in requirement.positions:
            raise unavailable("the view of the customer may lag behind the order; retry later")
        return True
    return False


async def _contains_customer(
    dependencies: QueryDependencies, users: str, order: OrderDocument
) -> bool:
    """Whether the users' view contains everything up to the time of the order."""
    checkpoint, stored_head = await dependencies.reader.get(
        (checkpoint_key(users), head_key(users))
    )
    current, head = decode_checkpoint(checkpoint), decode_head(stored_head)
    if current is None or head is None or current.position < head.position:
        return False
    placed_at = datetime.fromisoformat(order["placed_at"]).timestamp()
    return head.seen_at_ms / 1000 > placed_at + _CLOCK_TOLERANCE_S
