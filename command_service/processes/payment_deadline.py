"""PaymentDeadline: an order that is not paid in time is cancelled, so that its stock returns."""

from command_service.commands import cancel_order
from command_service.commands.cancel_order import CancelOrder
from command_service.domain.orders import Order
from command_service.processes.process import Process

REASON = "payment overdue"


def has_deadlines(order: Order) -> bool:
    return order.payment_due_at is not None


PROCESS = Process(
    name="payment-deadline",
    topic="orders",
    has_deadlines=has_deadlines,
    deadline=lambda order: order.payment_deadline,
    command=cancel_order.COMMAND,
    message=CancelOrder(reason=REASON),
)
