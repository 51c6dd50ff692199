"""An order: its customer, its lines and its status."""

from datetime import datetime
from typing import Final, NamedTuple, assert_never

from shared.contracts.documents import OrderStatus, PaymentStatus
from shared.contracts.events import (
    OrderAnonymized,
    OrderCancelled,
    OrderDelivered,
    OrderEvent,
    OrderPaid,
    OrderPlaced,
    OrderRefunded,
    OrderShipped,
)
from shared.contracts.times import parse_time

_AFTER_CANCELLATION: Final[dict[PaymentStatus, PaymentStatus]] = {
    "due": "overdue",
    "paid": "refund_due",
}


class Line(NamedTuple):
    product_id: str
    quantity: int


class Order(NamedTuple):
    """`lines` never change; they are empty if the decision does not require them."""

    id: str
    customer_id: str
    status: OrderStatus
    lines: tuple[Line, ...]
    version: int
    anonymized: bool = False
    payment: PaymentStatus = "none"
    payment_due_at: datetime | None = None
    payment_reference: str | None = None
    refund_reference: str | None = None

    @property
    def payment_deadline(self) -> datetime | None:
        """When the order is to be cancelled unless it is paid; None if no payment is due."""
        return self.payment_due_at if self.payment == "due" else None


def evolve_order(order: Order | None, event: OrderEvent) -> Order:
    """The order after the event."""
    if isinstance(event, OrderPlaced):
        lines = tuple(Line(item.product_id, item.quantity) for item in event.items)
        due_at = None if event.payment_due_at is None else parse_time(event.payment_due_at)
        return Order(
            event.id,
            event.customer_id,
            "placed",
            lines,
            event.version,
            payment="none" if due_at is None else "due",
            payment_due_at=due_at,
        )
    assert order is not None
    match event:
        case OrderShipped():
            return order._replace(status="shipped", version=event.version)
        case OrderDelivered():
            return order._replace(status="delivered", version=event.version)
        case OrderCancelled():
            payment = _AFTER_CANCELLATION.get(order.payment, order.payment)
            return order._replace(status="cancelled", payment=payment, version=event.version)
        case OrderPaid():
            return order._replace(
                payment="paid", payment_reference=event.reference, version=event.version
            )
        case OrderRefunded():
            return order._replace(
                payment="refunded", refund_reference=event.reference, version=event.version
            )
        case OrderAnonymized():
            return order._replace(anonymized=True, version=event.version)
        case _:
            assert_never(event)
