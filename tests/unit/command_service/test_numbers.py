"""Integers are accepted by value, in every JSON form (JSON Schema, 6.1.1)."""

import pytest

from command_service.commands.fields import Price
from command_service.commands.place_order import PlaceOrder
from shared.http.invalid_fields import read_json
from shared.http.problems import Problem


@pytest.mark.parametrize(
    ("text", "value"),
    [("450", 450), ("450.0", 450), ("4.5e2", 450), ("1e2", 100), ("1E2", 100), ("-0.0", 0)],
)
def test_every_form_of_an_integer_is_accepted(text: str, value: int) -> None:
    price = read_json(Price, f'{{"amount": {text}, "currency": "EUR"}}'.encode())
    assert (price.amount, type(price.amount)) == (value, int)


@pytest.mark.parametrize("text", ["1.5", "1e-1", "true", '"1"', "1e10", "-1.0", "1e308"])
def test_another_value_is_an_invalid_field(text: str) -> None:
    with pytest.raises(Problem) as caught:
        read_json(Price, f'{{"amount": {text}, "currency": "EUR"}}'.encode())
    assert caught.value.name == "invalid-field"
    assert [error["field"] for error in caught.value.errors] == ["/amount"]


def test_messages_are_equal_if_their_values_are() -> None:
    """An idempotency key compares messages."""
    id = "019cb1a4-7c35-7d10-9f3a-5b1c60a2e7c4"
    order = (
        '{"customer_id": "%s", "shipping_address": "1 Main Street", "pay_within_seconds": %s,'
        ' "items": [{"product_id": "%s", "quantity": %s}]}'
    )
    dumps = {
        read_json(PlaceOrder, (order % (id, seconds, id, quantity)).encode()).model_dump_json()
        for seconds, quantity in (("60", "2"), ("60.0", "2.0"), ("6e1", "2e0"))
    }
    assert len(dumps) == 1
