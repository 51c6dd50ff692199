"""The view of orders: content, status, payment and customer."""

from typing import Final, assert_never

from projector.views.order_counts import count, empty_part
from projector.views.payments import cancelled, no_payment, paid, payment_of, refunded
from projector.views.view import View, absent, event_types, existing
from shared.contracts.documents import MoneyDocument, OrderDocument, OrderItem
from shared.contracts.events import (
    OrderAnonymized,
    OrderCancelled,
    OrderDelivered,
    OrderEvent,
    OrderPaid,
    OrderPlaced,
    OrderRefunded,
    OrderShipped,
    PlacedItem,
)
from shared.contracts.money import Money
from shared.contracts.views import customer_key, ids_key, payment_key, status_key


def project(document: OrderDocument | None, event: OrderEvent, at: str) -> OrderDocument | None:
    match event:
        case OrderPlaced():
            absent(document)
            return _placed(event, at)
        case OrderShipped():
            order = _changed(document, event, at)
            order["status"], order["shipped_at"] = "shipped", at
            order["carrier"], order["tracking_number"] = event.carrier, event.tracking_number
            return order
        case OrderDelivered():
            order = _changed(document, event, at)
            order["status"], order["delivered_at"] = "delivered", at
            return order
        case OrderCancelled():
            order = _changed(document, event, at)
            order["status"], order["cancelled_at"] = "cancelled", at
            order["cancel_reason"] = event.reason
            order["payment"] = cancelled(order["payment"])
            return order
        case OrderPaid():
            order = _changed(document, event, at)
            order["payment"] = paid(order["payment"], event, at)
            return order
        case OrderRefunded():
            order = _changed(document, event, at)
            order["payment"] = refunded(order["payment"], event, at)
            return order
        case OrderAnonymized():
            return anonymized(_changed(document, event, at))
        case _:
            assert_never(event)


def anonymized(order: OrderDocument) -> OrderDocument:
    return {
        **order,
        "customer_name": None,
        "shipping_address": None,
        "cancel_reason": None,
        "carrier": None,
        "tracking_number": None,
    }


def owner(order: OrderDocument) -> str:
    return order["customer_id"]


def lists(shard: str, order: OrderDocument) -> list[str]:
    payment = payment_of(order)["status"]
    return [
        ids_key(shard),
        status_key(shard, order["status"]),
        customer_key(shard, order["customer_id"]),
        *([payment_key(shard, payment)] if payment != "none" else []),
    ]


def _placed(event: OrderPlaced, at: str) -> OrderDocument:
    return {
        "id": event.id,
        "customer_id": event.customer_id,
        "customer_name": event.customer_name,
        "status": "placed",
        "items": [_item(item) for item in event.items],
        "item_count": len(event.items),
        "total": _money(event.total),
        "shipping_address": event.shipping_address,
        "carrier": None,
        "tracking_number": None,
        "cancel_reason": None,
        "payment": no_payment(event.payment_due_at),
        "placed_at": at,
        "shipped_at": None,
        "delivered_at": None,
        "cancelled_at": None,
        "version": event.version,
        "updated_at": at,
    }


def _item(item: PlacedItem) -> OrderItem:
    price = item.unit_price
    return {
        "product_id": item.product_id,
        "name": item.name,
        "quantity": item.quantity,
        "unit_price": _money(price),
        "subtotal": {"amount": price.amount * item.quantity, "currency": price.currency},
    }


def _changed(document: OrderDocument | None, event: OrderEvent, at: str) -> OrderDocument:
    order: OrderDocument = existing(document).copy()
    order["version"] = event.version
    order["updated_at"] = at
    order["payment"] = payment_of(order)
    return order


def _money(money: Money) -> MoneyDocument:
    return {"amount": money.amount, "currency": money.currency}


ORDERS: Final = View(
    name="orders",
    topic="orders",
    events=event_types(OrderEvent),
    project=project,
    owner=owner,
    lists=lists,
    listed_by=("status", "payment", "customer_id"),
    empty_part=empty_part,
    count=count,
    anonymizes=OrderAnonymized,
    anonymized=anonymized,
    size=lambda part: sum(part["statuses"].values()),
    adds=(OrderPlaced,),
)
