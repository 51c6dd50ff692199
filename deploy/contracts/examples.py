"""What each event says in a line, and one of each, as the published documents show them."""

from typing import Any, Final

from shared.contracts import events as e

_USER: Final = "019cb1a4-7c35-7d10-9f3a-5b1c60a2e7c4"
_PRODUCT: Final = "019cb1a4-91aa-7b02-8a44-0d6f1e93b0a1"
_ORDER: Final = "019cb1a5-02f1-7e4b-b5d0-93c4a1f087c4"

SUMMARIES: Final[dict[type[e.Event], str]] = {
    e.UserCreated: "An account was created.",
    e.UserRenamed: "A user has another name.",
    e.UserEmailChanged: "A user has another email.",
    e.UserErased: "A user was erased: whoever keeps their name or email forgets them now.",
    e.ProductAdded: "A product is sold from now on.",
    e.ProductPriceChanged: "A product has another price, perhaps in another currency.",
    e.ProductRestocked: "More of a product came in.",
    e.ProductReserved: "An order took some of a product's stock.",
    e.ProductReleased: "A cancelled order gave its part of a product's stock back.",
    e.ProductRetired: "A product is no longer sold; past orders keep it.",
    e.OrderPlaced: "An order was placed, at the prices and under the names of that moment.",
    e.OrderShipped: "An order is on its way.",
    e.OrderDelivered: "An order has arrived.",
    e.OrderCancelled: "An order was cancelled before it was shipped.",
    e.OrderAnonymized: "An order's customer was erased: whoever keeps their name or address "
    "forgets them now.",
}

EXAMPLES: Final[dict[type[e.Event], dict[str, Any]]] = {
    e.UserCreated: {"id": _USER, "version": 1, "name": "Ada", "email": "ada@example.com"},
    e.UserRenamed: {"id": _USER, "version": 2, "name": "Ada L."},
    e.UserEmailChanged: {"id": _USER, "version": 3, "email": "ada@example.org"},
    e.UserErased: {"id": _USER, "version": 4},
    e.ProductAdded: {
        "id": _PRODUCT,
        "version": 1,
        "name": "Green tea",
        "description": "100 g",
        "price": {"amount": 450, "currency": "EUR"},
        "stock": 100,
    },
    e.ProductPriceChanged: {
        "id": _PRODUCT,
        "version": 2,
        "price": {"amount": 500, "currency": "EUR"},
    },
    e.ProductRestocked: {"id": _PRODUCT, "version": 3, "quantity": 10, "stock": 110},
    e.ProductReserved: {
        "id": _PRODUCT,
        "version": 4,
        "order_id": _ORDER,
        "quantity": 2,
        "stock": 108,
    },
    e.ProductReleased: {
        "id": _PRODUCT,
        "version": 5,
        "order_id": _ORDER,
        "quantity": 2,
        "stock": 110,
    },
    e.ProductRetired: {"id": _PRODUCT, "version": 6},
    e.OrderPlaced: {
        "id": _ORDER,
        "version": 1,
        "customer_id": _USER,
        "customer_name": "Ada",
        "items": [
            {
                "product_id": _PRODUCT,
                "name": "Green tea",
                "quantity": 2,
                "unit_price": {"amount": 450, "currency": "EUR"},
            }
        ],
        "total": {"amount": 900, "currency": "EUR"},
        "shipping_address": "1 Main Street",
    },
    e.OrderShipped: {"id": _ORDER, "version": 2, "carrier": "Post", "tracking_number": "X1"},
    e.OrderDelivered: {"id": _ORDER, "version": 3},
    e.OrderCancelled: {"id": _ORDER, "version": 2, "reason": "changed my mind"},
    e.OrderAnonymized: {"id": _ORDER, "version": 4},
}
"""Tests hold them against the schemas."""
