"""RefundOrder: from cancelled and paid, once; the same reference again changes nothing."""

from command_service.commands.command import Command, CommandMessage, Context, RequiredState
from command_service.commands.fields import Label
from command_service.commands.targets import target_order
from command_service.domain.rejection import Rejection
from command_service.domain.shop import Shop
from shared.contracts.events import Event, OrderRefunded


class RefundOrder(CommandMessage):
    reference: Label


def required_state(message: RefundOrder, context: Context) -> RequiredState:
    return RequiredState(orders=(context.id,))


def refund_order(message: RefundOrder, context: Context, shop: Shop) -> list[Event]:
    order = target_order(shop, context)
    if order.refund_reference == message.reference:
        return []
    if order.refund_reference is not None:
        raise Rejection("order-state", "the order is refunded with another reference")
    if order.payment != "refund_due":
        raise Rejection("order-state", f"no refund is due: the order is {order.status}")
    return [OrderRefunded(id=order.id, version=order.version + 1, reference=message.reference)]


COMMAND = Command(
    name="RefundOrder",
    message=RefundOrder,
    method="POST",
    path="/v1/orders/{id}/refund",
    topic="orders",
    scopes=("orders:write:all",),
    required_state=required_state,
    decide=refund_order,
    problems=("order-state",),
)
