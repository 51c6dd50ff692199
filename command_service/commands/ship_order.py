"""ShipOrder: from placed."""

from command_service.commands.command import Command, CommandMessage, Context, RequiredState
from command_service.commands.fields import Label
from command_service.commands.targets import target_order
from command_service.domain.rejection import Rejection
from command_service.domain.shop import Shop
from shared.contracts.events import Event, OrderShipped


class ShipOrder(CommandMessage):
    carrier: Label
    tracking_number: Label


def required_state(message: ShipOrder, context: Context) -> RequiredState:
    return RequiredState(orders=(context.id,))


def ship_order(message: ShipOrder, context: Context, shop: Shop) -> list[Event]:
    order = target_order(shop, context)
    if order.status != "placed":
        raise Rejection("order-state", f"the order is {order.status}")
    if order.payment == "due":
        raise Rejection("order-state", "the order is not paid yet")
    return [
        OrderShipped(
            id=order.id,
            version=order.version + 1,
            carrier=message.carrier,
            tracking_number=message.tracking_number,
        )
    ]


COMMAND = Command(
    name="ShipOrder",
    message=ShipOrder,
    method="POST",
    path="/v1/orders/{id}/ship",
    topic="orders",
    scopes=("orders:write:all",),
    required_state=required_state,
    decide=ship_order,
    problems=("order-state",),
)
