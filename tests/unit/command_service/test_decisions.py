"""Decisions are pure: a state and a command lead to events, or to a rejection."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from command_service.commands.command import AnyCommand, Context
from command_service.commands.registry import COMMANDS
from command_service.domain.orders import Line, Order
from command_service.domain.products import Product
from command_service.domain.rejection import Rejection
from command_service.domain.shop import Shop
from command_service.domain.users import User, email_key
from shared.contracts.events import Event
from shared.contracts.money import Money

BY_NAME: dict[str, AnyCommand] = {command.name: command for command in COMMANDS}
ADA, TEA, MUG, ORDER = (f"01900000-0000-7000-8000-00000000000{n}" for n in range(1, 5))
NOW = datetime(2026, 3, 1, tzinfo=UTC)
EUR, USD = Money(amount=250, currency="EUR"), Money(amount=100, currency="USD")


def shop(**changes: Any) -> Shop:
    state = Shop(
        users={ADA: User(ADA, "Ada", "ada@x", 1)},
        products={
            TEA: Product(TEA, "Tea", EUR, 10, False, 1),
            MUG: Product(MUG, "Mug", USD, 5, False, 4),
        },
        orders={ORDER: Order(ORDER, ADA, "placed", (Line(TEA, 3),), 1)},
        emails={email_key("ada@x"): ADA},
    )
    for part, values in changes.items():
        getattr(state, part).update(values)
    return state


def decide(
    command_name: str,
    on: Shop,
    /,
    id: str = "new",
    caller: str = ADA,
    unrestricted: bool = True,
    if_match: int | None = None,
    **fields: Any,
) -> list[Event]:
    command = BY_NAME[command_name]
    message = command.message.model_validate(fields)
    return list(command.decide(message, Context(id, caller, unrestricted, NOW, if_match), on))


def reason(command_name: str, on: Shop, /, **arguments: Any) -> str:
    with pytest.raises(Rejection) as caught:
        decide(command_name, on, **arguments)
    return caught.value.reason


def order_of(*lines: tuple[str, int]) -> dict[str, Any]:
    items = [{"product_id": product, "quantity": quantity} for product, quantity in lines]
    return {"customer_id": ADA, "items": items, "shipping_address": "Main Street"}


def test_placing_an_order_copies_current_names_and_prices_and_reserves_stock() -> None:
    placed, reserved = decide("PlaceOrder", shop(), **order_of((TEA, 4)))
    assert placed.model_dump() == {
        "id": "new",
        "version": 1,
        "customer_id": ADA,
        "customer_name": "Ada",
        "items": [
            {"product_id": TEA, "name": "Tea", "quantity": 4, "unit_price": EUR.model_dump()}
        ],
        "total": {"amount": 1000, "currency": "EUR"},
        "shipping_address": "Main Street",
        "payment_due_at": None,
    }
    assert reserved.model_dump() == {
        "id": TEA, "version": 2, "order_id": "new", "quantity": 4, "stock": 6
    }  # fmt: skip


def test_an_order_that_the_state_does_not_allow_is_rejected() -> None:
    retired = Product(TEA, "Tea", EUR, 10, True, 2)
    assert reason("PlaceOrder", shop(), **order_of((TEA, 11))) == "insufficient-stock"
    assert reason("PlaceOrder", shop(), **order_of((TEA, 1), (MUG, 1))) == "currency-mismatch"
    assert (
        reason("PlaceOrder", shop(products={TEA: retired}), **order_of((TEA, 1)))
        == "product-retired"
    )
    assert reason("PlaceOrder", Shop(), **order_of((TEA, 1))) == "unknown-reference"


def test_an_erased_user_accepts_no_command_and_places_no_order() -> None:
    state = shop(users={ADA: User(ADA, None, None, 2, erased=True)})
    assert reason("UpdateUserName", state, id=ADA, name="X") == "not-found"
    assert reason("EraseUser", state, id=ADA) == "not-found"
    assert reason("PlaceOrder", state, **order_of((TEA, 1))) == "unknown-reference"


def test_a_retired_product_accepts_no_command() -> None:
    state = shop(products={TEA: Product(TEA, "Tea", EUR, 10, True, 2)})
    assert reason("RetireProduct", state, id=TEA) == "product-retired"
    assert reason("RestockProduct", state, id=TEA, quantity=1) == "product-retired"
    price = {"amount": 1, "currency": "EUR"}
    assert reason("UpdateProductPrice", state, id=TEA, price=price) == "product-retired"


@pytest.mark.parametrize("status", ["placed", "shipped", "delivered", "cancelled"])
def test_an_order_accepts_only_the_transitions_of_its_status(status: Any) -> None:
    on = shop(orders={ORDER: Order(ORDER, ADA, status, (Line(TEA, 3),), 5)})
    transitions: dict[str, dict[str, Any]] = {
        "ShipOrder": {"carrier": "Post", "tracking_number": "1"},
        "DeliverOrder": {},
        "CancelOrder": {"reason": "late"},
    }
    allowed = {"placed": {"ShipOrder", "CancelOrder"}, "shipped": {"DeliverOrder"}}
    for name, fields in transitions.items():
        if name in allowed.get(status, set()):
            assert decide(name, on, id=ORDER, **fields)[0].version == 6
        else:
            assert reason(name, on, id=ORDER, **fields) == "order-state"


def test_a_command_that_changes_nothing_emits_no_event() -> None:
    assert decide("UpdateUserName", shop(), id=ADA, name="Ada") == []
    assert decide("UpdateUserEmail", shop(), id=ADA, email="ada@x") == []
    assert decide("UpdateProductPrice", shop(), id=TEA, price=EUR.model_dump()) == []


def test_another_spelling_of_the_own_email_is_a_change() -> None:
    assert [e.type for e in decide("UpdateUserEmail", shop(), id=ADA, email="ADA@x")] == [
        "user.email_changed"
    ]


def test_not_found_is_checked_before_version_conflict_and_that_before_conflicts() -> None:
    state = shop(products={TEA: Product(TEA, "Tea", EUR, 10, True, 2)})
    assert reason("RetireProduct", Shop(), id=TEA, if_match=9) == "not-found"
    assert reason("RetireProduct", state, id=TEA, if_match=9) == "version-conflict"
    assert reason("RetireProduct", state, id=TEA, if_match=2) == "product-retired"


def test_resources_of_other_users_are_not_found_without_the_unrestricted_scope() -> None:
    cases: list[tuple[str, str, dict[str, Any]]] = [
        ("UpdateUserName", ADA, {"name": "X"}),
        ("CancelOrder", ORDER, {"reason": "x"}),
    ]
    for name, id, fields in cases:
        arguments = {"id": id, "unrestricted": False, **fields}
        assert reason(name, shop(), caller="eve", **arguments) == "not-found"
        assert decide(name, shop(), caller=ADA, **arguments)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("CreateUser", {"name": " ", "email": "a@b"}),
        ("CreateUser", {"name": "x" * 201, "email": "a@b"}),
        ("CreateUser", {"name": "a\x00b", "email": "a@b"}),
        ("CreateUser", {"name": "a\x0b", "email": "a@b"}),
        ("CreateUser", {"name": "A", "email": "no-at-sign"}),
        ("CreateUser", {"name": "A", "email": "a@b", "admin": True}),
        ("RestockProduct", {"quantity": 0}),
        ("RestockProduct", {"quantity": True}),
        ("RestockProduct", {"quantity": "1"}),
        ("RestockProduct", {"quantity": 10**9 + 1}),
        ("UpdateProductPrice", {"price": {"amount": -1, "currency": "EUR"}}),
        ("UpdateProductPrice", {"price": {"amount": 1, "currency": "eur"}}),
        ("PlaceOrder", order_of()),
        ("PlaceOrder", order_of((TEA, 1), (TEA.upper(), 1))),
        ("PlaceOrder", order_of(("x", 1))),
        ("PlaceOrder", order_of((TEA, 10_001))),
    ],
)
def test_a_message_outside_its_limits_is_invalid(name: str, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BY_NAME[name].message.model_validate(fields)


def test_strings_are_trimmed_and_keep_inner_line_breaks() -> None:
    message = BY_NAME["PlaceOrder"].message.model_validate(
        {**order_of((TEA, 1)), "shipping_address": " \n1 Main\n\tStreet\n"}
    )
    assert message.shipping_address == "1 Main\n\tStreet"
