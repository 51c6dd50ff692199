"""Example requests of the API documentation, which its forms are prefilled with."""

from typing import Any, Final

from shared.contracts.examples import ORDER_ID, PRODUCT_ID, USER_ID

_PRICE: Final = {"amount": 450, "currency": "EUR"}

REQUESTS: Final[dict[str, Any]] = {
    "CreateUser": {"name": "Ada", "email": "ada@example.com"},
    "UpdateUserName": {"name": "Ada L."},
    "UpdateUserEmail": {"email": "ada@example.org"},
    "AddProduct": {"name": "Green tea", "description": "100 g", "price": _PRICE, "stock": 100},
    "UpdateProductPrice": {"price": {"amount": 500, "currency": "EUR"}},
    "RestockProduct": {"quantity": 10},
    "PlaceOrder": {
        "customer_id": USER_ID,
        "items": [{"product_id": PRODUCT_ID, "quantity": 2}],
        "shipping_address": "1 Main Street",
    },
    "PayOrder": {"reference": "payment-1"},
    "RefundOrder": {"reference": "refund-1"},
    "ShipOrder": {"carrier": "Post", "tracking_number": "X1"},
    "CancelOrder": {"reason": "changed my mind"},
}
"""By command, for commands that have fields."""

RESULT_IDS: Final = {"users": USER_ID, "products": PRODUCT_ID, "orders": ORDER_ID}
"""By the topic of the command's aggregate."""
