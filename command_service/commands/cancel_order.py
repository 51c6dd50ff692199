"""CancelOrder: from placed; returns the stock, also to retired products."""

from command_service.commands.command import Command, CommandMessage, Context, RequiredState
from command_service.commands.fields import Reason
from command_service.commands.targets import target_order
from command_service.domain.orders import Line
from command_service.domain.rejection import Rejection
from command_service.domain.shop import Shop
from shared.contracts.events import Event, OrderCancelled, ProductReleased


class CancelOrder(CommandMessage):
    reason: Reason


def required_state(message: CancelOrder, context: Context) -> RequiredState:
    return RequiredState(orders=(context.id,), orders_with_products=(context.id,))


def cancel_order(message: CancelOrder, context: Context, shop: Shop) -> list[Event]:
    order = target_order(shop, context)
    if order.status != "placed":
        raise Rejection("order-state", f"the order is {order.status}")
    cancelled = OrderCancelled(id=order.id, version=order.version + 1, reason=message.reason)
    return [cancelled, *(_release(line, order.id, shop) for line in order.lines)]


def _release(line: Line, order_id: str, shop: Shop) -> ProductReleased:
    product = shop.products[line.product_id]
    return ProductReleased(
        id=product.id,
        version=product.version + 1,
        order_id=order_id,
        quantity=line.quantity,
        stock=product.stock + line.quantity,
    )


COMMAND = Command(
    name="CancelOrder",
    message=CancelOrder,
    method="POST",
    path="/v1/orders/{id}/cancel",
    topic="orders",
    scopes=("orders:write", "orders:write:all"),
    required_state=required_state,
    decide=cancel_order,
    problems=("order-state",),
)
