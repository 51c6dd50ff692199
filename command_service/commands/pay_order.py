"""PayOrder: from placed, not yet paid; the same reference again changes nothing."""

from command_service.commands.command import Command, CommandMessage, Context, RequiredState
from command_service.commands.fields import Label
from command_service.commands.targets import target_order
from command_service.domain.rejection import Rejection
from command_service.domain.shop import Shop
from shared.contracts.events import Event, OrderPaid


class PayOrder(CommandMessage):
    reference: Label


def required_state(message: PayOrder, context: Context) -> RequiredState:
    return RequiredState(orders=(context.id,))


def pay_order(message: PayOrder, context: Context, shop: Shop) -> list[Event]:
    order = target_order(shop, context)
    if order.payment_reference == message.reference:
        return []
    if order.payment_reference is not None:
        raise Rejection("order-state", "the order is paid with another reference")
    if order.status != "placed":
        raise Rejection("order-state", f"the order is {order.status}")
    return [OrderPaid(id=order.id, version=order.version + 1, reference=message.reference)]


COMMAND = Command(
    name="PayOrder",
    message=PayOrder,
    method="POST",
    path="/v1/orders/{id}/pay",
    topic="orders",
    scopes=("orders:write:all",),
    required_state=required_state,
    decide=pay_order,
    problems=("order-state",),
)
