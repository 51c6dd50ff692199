"""Decisions about payments, and the deadlines that follow from an order's state."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from command_service.commands.command import AnyCommand, Context
from command_service.commands.place_order import MAX_PAYMENT_SECONDS
from command_service.commands.registry import COMMANDS
from command_service.domain.products import Product
from command_service.domain.rejection import Rejection
from command_service.domain.shop import Shop
from command_service.domain.users import User
from command_service.processes.registry import removed_deadlines, set_deadlines
from shared.contracts.events import Event
from shared.contracts.money import Money

BY_NAME: dict[str, AnyCommand] = {command.name: command for command in COMMANDS}
ADA, TEA, ORDER = (f"01900000-0000-7000-8000-00000000000{n}" for n in range(1, 4))
NOW = datetime(2026, 3, 1, tzinfo=UTC)


class PaymentModel:
    """One order and what it allows, written from the contract alone."""

    def __init__(self, deadline: bool) -> None:
        self.status, self.payment = "placed", "due" if deadline else "none"
        self.reference: str | None = None
        self.refund: str | None = None

    def apply(self, name: str, reference: str) -> list[str] | str:
        """The types of the order's events, or the reason of the rejection."""
        if name == "PayOrder":
            return self._pay(reference)
        if name == "RefundOrder":
            return self._refund(reference)
        allowed = {"ShipOrder": "placed", "DeliverOrder": "shipped", "CancelOrder": "placed"}
        unpaid = name == "ShipOrder" and self.payment == "due"
        if self.status != allowed[name] or unpaid:
            return "order-state"
        self.status = {"Ship": "shipped", "Deli": "delivered", "Canc": "cancelled"}[name[:4]]
        if self.status == "cancelled":
            after = {"due": "overdue", "paid": "refund_due"}
            self.payment = after.get(self.payment, self.payment)
        return [f"order.{self.status}"]

    def _pay(self, reference: str) -> list[str] | str:
        if self.reference == reference:
            return []
        if self.reference is not None or self.status != "placed":
            return "order-state"
        self.reference, self.payment = reference, "paid"
        return ["order.paid"]

    def _refund(self, reference: str) -> list[str] | str:
        if self.refund == reference:
            return []
        if self.refund is not None or self.payment != "refund_due":
            return "order-state"
        self.refund, self.payment = reference, "refunded"
        return ["order.refunded"]


def shop() -> Shop:
    price = Money(amount=250, currency="EUR")
    return Shop(
        users={ADA: User(ADA, "Ada", "ada@x", 1)},
        products={TEA: Product(TEA, "Tea", price, 10, False, 1)},
    )


def execute(on: Shop, name: str, **fields: Any) -> list[Event]:
    command = BY_NAME[name]
    context = Context(ORDER, "staff", True, NOW)
    events: list[Event] = command.decide(command.message.model_validate(fields), context, on)
    on.apply(events)
    return events


def place(on: Shop, pay_within_seconds: int | None = None) -> Event:
    body: dict[str, Any] = {
        "customer_id": ADA,
        "items": [{"product_id": TEA, "quantity": 3}],
        "shipping_address": "1 Main Street",
    }
    return execute(on, "PlaceOrder", **body, pay_within_seconds=pay_within_seconds)[0]


def fields_of(name: str, reference: str) -> dict[str, str]:
    return {
        "PayOrder": {"reference": reference},
        "RefundOrder": {"reference": reference},
        "ShipOrder": {"carrier": "Post", "tracking_number": "X1"},
        "CancelOrder": {"reason": "no"},
    }.get(name, {})


STEPS = st.tuples(
    st.sampled_from(["PayOrder", "RefundOrder", "ShipOrder", "DeliverOrder", "CancelOrder"]),
    st.sampled_from(["r1", "r2"]),
)


@given(st.booleans(), st.lists(STEPS, max_size=8))
def test_any_sequence_of_commands_agrees_with_the_model(
    deadline: bool, steps: list[tuple[str, str]]
) -> None:
    model, on = PaymentModel(deadline), shop()
    place(on, 60 if deadline else None)
    for name, reference in steps:
        expected = model.apply(name, reference)
        if isinstance(expected, str):
            with pytest.raises(Rejection) as rejected:
                execute(on, name, **fields_of(name, reference))
            assert rejected.value.reason == expected
        else:
            events = execute(on, name, **fields_of(name, reference))
            assert [e.type for e in events if e.topic == "orders"] == expected
        order = on.orders[ORDER]
        assert (order.status, order.payment) == (model.status, model.payment)
        assert on.products[TEA].stock == (10 if order.status == "cancelled" else 7)
        due = order.payment_due_at if model.payment == "due" else None
        assert order.payment_deadline == due


def test_the_deadline_is_counted_from_the_time_at_which_the_order_was_placed() -> None:
    placed = place(shop(), 90)
    assert placed.model_dump()["payment_due_at"] == "2026-03-01T00:01:30.000Z"
    assert place(shop()).model_dump()["payment_due_at"] is None


@pytest.mark.parametrize("seconds", [0, -1, MAX_PAYMENT_SECONDS + 1, "60", 1.5, True])
def test_a_payment_deadline_outside_of_its_range_is_rejected(seconds: object) -> None:
    with pytest.raises(ValidationError, match="pay_within_seconds"):
        BY_NAME["PlaceOrder"].message.model_validate(
            {
                "customer_id": ADA,
                "items": [{"product_id": TEA, "quantity": 1}],
                "shipping_address": "x",
                "pay_within_seconds": seconds,
            }
        )


def test_a_late_payment_is_rejected_with_the_order_s_state() -> None:
    on = shop()
    place(on, 60)
    execute(on, "CancelOrder", reason="payment overdue")
    with pytest.raises(Rejection) as rejected:
        execute(on, "PayOrder", reference="r1")
    assert rejected.value.detail == "the order is cancelled"


def test_a_deadline_is_stored_while_a_payment_is_due_and_removed_when_it_is_not() -> None:
    on = shop()
    place(on, 60)
    changed = {ORDER, TEA}
    deadline = ("payment-deadline", ORDER, 1, NOW + timedelta(seconds=60))
    assert list(set_deadlines(on, changed)) == [deadline]
    assert list(removed_deadlines(on, changed)) == []
    execute(on, "PayOrder", reference="r1")
    assert list(set_deadlines(on, changed)) == []
    assert list(removed_deadlines(on, changed)) == [("payment-deadline", ORDER)]


def test_an_order_without_a_deadline_costs_the_deadlines_table_nothing() -> None:
    on = shop()
    place(on)
    assert not list(set_deadlines(on, {ORDER}))
    assert not list(removed_deadlines(on, {ORDER}))
