"""The payment of an order in its document, in the lists and on the dashboard."""

from typing import Any

import pytest

from projector.views.orders import ORDERS
from projector.views.payments import no_payments
from shared.contracts.events import EVENTS
from shared.contracts.views import payment_key

ID = "01890a5d-ac96-774b-bcce-b302099a8000"
EURO = {"amount": 500, "currency": "EUR"}
DUE_AT = "2026-03-01T11:00:00.000Z"
PLACED = {
    "customer_id": "c",
    "customer_name": "Ada",
    "items": [{"product_id": "p", "name": "Tea", "quantity": 3, "unit_price": EURO}],
    "total": {"amount": 1500, "currency": "EUR"},
    "shipping_address": "Here 1",
    "payment_due_at": DUE_AT,
}
PAID = ("order.paid", {"reference": "payment-1"})
CANCELLED = ("order.cancelled", {"reason": "no"})
REFUNDED = ("order.refunded", {"reference": "refund-1"})
Events = list[tuple[str, dict[str, Any]]]


def fold(events: Events, document: Any = None, first: int = 1) -> tuple[Any, Any]:
    """The document after the events, and the part of the dashboard."""
    part = ORDERS.empty_part()
    for version, (type, fields) in enumerate(events, start=first):
        event = EVENTS[type].model_validate({"id": ID, "version": version, **fields})
        after = ORDERS.project(document, event, f"2026-03-01T10:00:0{version}.000Z")
        ORDERS.count(part, document, after)
        document = after
    return document, part


@pytest.mark.parametrize(
    ("later", "status"),
    [
        ([], "due"),
        ([PAID], "paid"),
        ([CANCELLED], "overdue"),
        ([PAID, CANCELLED], "refund_due"),
        ([PAID, CANCELLED, REFUNDED], "refunded"),
    ],
)
def test_the_payment_follows_the_events(later: Events, status: str) -> None:
    document, part = fold([("order.placed", PLACED), *later])
    payment = document["payment"]
    assert (payment["status"], payment["due_at"]) == (status, DUE_AT)
    paid, refunded = PAID in later, REFUNDED in later
    assert payment["reference"] == ("payment-1" if paid else None)
    assert payment["paid_at"] == ("2026-03-01T10:00:02.000Z" if paid else None)
    assert payment["refund_reference"] == ("refund-1" if refunded else None)
    assert payment["refunded_at"] == ("2026-03-01T10:00:04.000Z" if refunded else None)
    assert part["payments"] == {**no_payments(), status: 1}
    assert payment_key("orders.0", status) in ORDERS.lists("orders.0", document)


def test_an_order_without_a_payment_is_in_no_list_of_payments_and_not_counted() -> None:
    document, part = fold([("order.placed", {**PLACED, "payment_due_at": None})])
    assert document["payment"]["status"] == "none"
    assert part["payments"] == no_payments()
    assert not any(":payment:" in key for key in ORDERS.lists("orders.0", document))


def test_a_document_of_an_earlier_release_gets_a_payment_with_its_next_event() -> None:
    document, _ = fold([("order.placed", {**PLACED, "payment_due_at": None})])
    del document["payment"]
    continued, part = fold([PAID], document, first=2)
    assert continued["payment"]["status"] == "paid"
    assert part["payments"] == {**no_payments(), "paid": 1}
