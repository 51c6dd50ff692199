"""Validation of bodies: the names of a command's fields, and their limits."""

import unicodedata
from typing import Any, Final

MAX_LENGTHS: Final = {
    "name": 200,
    "email": 254,
    "description": 5000,
    "shipping_address": 500,
    "carrier": 100,
    "tracking_number": 100,
    "reason": 500,
    "reference": 100,
}
FIELDS: Final = {
    "CreateUser": {"name", "email"},
    "UpdateUserName": {"name"},
    "UpdateUserEmail": {"email"},
    "EraseUser": set(),
    "AddProduct": {"name", "description", "price", "stock"},
    "UpdateProductPrice": {"price"},
    "RestockProduct": {"quantity"},
    "RetireProduct": set(),
    "PlaceOrder": {"customer_id", "items", "shipping_address"},
    "PayOrder": {"reference"},
    "RefundOrder": {"reference"},
    "ShipOrder": {"carrier", "tracking_number"},
    "DeliverOrder": set(),
    "CancelOrder": {"reason"},
}
CURRENCIES: Final = ("EUR", "USD", "JPY")


def valid(command: str, body: dict[str, Any]) -> bool:
    max_quantity = 10**9 if command == "RestockProduct" else 10**4
    return set(body) == FIELDS[command] and all(
        _valid_field(name, value, max_quantity) for name, value in body.items()
    )


def _valid_field(name: str, value: Any, max_quantity: int) -> bool:
    match name:
        case "price":
            return value["currency"] in CURRENCIES and _within(value["amount"], 0, 10**9)
        case "stock":
            return _within(value, 0, 10**9)
        case "quantity":
            return _within(value, 1, max_quantity)
        case "items":
            products = [line["product_id"] for line in value]
            quantities = [_within(line["quantity"], 1, 10**4) for line in value]
            return 1 <= len(value) <= 100 and len(set(products)) == len(value) and all(quantities)
        case "customer_id":
            return True
        case _:
            return _valid_text(name, value)


def _within(value: Any, minimum: int, maximum: int) -> bool:
    return type(value) is int and minimum <= value <= maximum


def _valid_text(name: str, value: Any) -> bool:
    if not isinstance(value, str) or any(_control(character) for character in value):
        return False
    min_length = 0 if name == "description" else 1
    return min_length <= len(value.strip()) <= MAX_LENGTHS[name]


def _control(character: str) -> bool:
    return unicodedata.category(character) == "Cc" and character not in "\n\r\t"
