"""An order: its customer, its lines and its status."""

from typing import NamedTuple, assert_never

from shared.contracts.documents import OrderStatus
from shared.contracts.events import (
    OrderAnonymized,
    OrderCancelled,
    OrderDelivered,
    OrderEvent,
    OrderPlaced,
    OrderShipped,
)


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


def evolve_order(order: Order | None, event: OrderEvent) -> Order:
    """The order after the event."""
    if isinstance(event, OrderPlaced):
        lines = tuple(Line(item.product_id, item.quantity) for item in event.items)
        return Order(event.id, event.customer_id, "placed", lines, event.version)
    assert order is not None
    match event:
        case OrderShipped():
            return order._replace(status="shipped", version=event.version)
        case OrderDelivered():
            return order._replace(status="delivered", version=event.version)
        case OrderCancelled():
            return order._replace(status="cancelled", version=event.version)
        case OrderAnonymized():
            return order._replace(anonymized=True, version=event.version)
        case _:
            assert_never(event)
