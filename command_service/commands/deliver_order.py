"""DeliverOrder: from shipped."""

from command_service.commands.command import Command, CommandMessage, Context, RequiredState
from command_service.commands.targets import target_order
from command_service.domain.rejection import Rejection
from command_service.domain.shop import Shop
from shared.contracts.events import Event, OrderDelivered


class DeliverOrder(CommandMessage):
    pass


def required_state(message: DeliverOrder, context: Context) -> RequiredState:
    return RequiredState(orders=(context.id,))


def deliver_order(message: DeliverOrder, context: Context, shop: Shop) -> list[Event]:
    order = target_order(shop, context)
    if order.status != "shipped":
        raise Rejection("order-state", f"the order is {order.status}")
    return [OrderDelivered(id=order.id, version=order.version + 1)]


COMMAND = Command(
    name="DeliverOrder",
    message=DeliverOrder,
    method="POST",
    path="/v1/orders/{id}/deliver",
    topic="orders",
    scopes=("orders:write:all",),
    required_state=required_state,
    decide=deliver_order,
    problems=("order-state",),
)
