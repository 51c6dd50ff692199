"""The payment of an order, as its document shows it and as the dashboard counts it."""

from typing import Final

from shared.contracts.dashboard_parts import PaymentCounts
from shared.contracts.documents import OrderDocument, PaymentDocument, PaymentStatus
from shared.contracts.events import OrderPaid, OrderRefunded

_AFTER_CANCELLATION: Final[dict[PaymentStatus, PaymentStatus]] = {
    "due": "overdue",
    "paid": "refund_due",
}


def payment_of(order: OrderDocument) -> PaymentDocument:
    """The order's payment. Documents that were stored before payments existed have none."""
    return order.get("payment") or no_payment(None)


def no_payment(due_at: str | None) -> PaymentDocument:
    """The payment of an order that was just placed."""
    return {
        "status": "none" if due_at is None else "due",
        "due_at": due_at,
        "paid_at": None,
        "reference": None,
        "refunded_at": None,
        "refund_reference": None,
    }


def paid(payment: PaymentDocument, event: OrderPaid, at: str) -> PaymentDocument:
    return {**payment, "status": "paid", "paid_at": at, "reference": event.reference}


def cancelled(payment: PaymentDocument) -> PaymentDocument:
    status = payment["status"]
    return {**payment, "status": _AFTER_CANCELLATION.get(status, status)}


def refunded(payment: PaymentDocument, event: OrderRefunded, at: str) -> PaymentDocument:
    return {
        **payment,
        "status": "refunded",
        "refunded_at": at,
        "refund_reference": event.reference,
    }


def no_payments() -> PaymentCounts:
    return {"due": 0, "paid": 0, "overdue": 0, "refund_due": 0, "refunded": 0}


def count_payments(
    counts: PaymentCounts, before: OrderDocument | None, after: OrderDocument | None
) -> None:
    """Changes the counts in place. Orders without a payment are not counted."""
    for order, change in ((before, -1), (after, 1)):
        if order is not None:
            status = payment_of(order)["status"]
            if status != "none":
                counts[status] += change
