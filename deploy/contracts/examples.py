"""What each event says in a line, and one of each, as the published documents show them."""

from typing import Any, Final

from shared.contracts import events as e
from shared.contracts.examples import ORDER_ID, PRODUCT_ID, USER_ID

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
    e.OrderPaid: "An order was paid. `reference` names the payment and is not personal data.",
    e.OrderRefunded: "The payment of a cancelled order was refunded.",
    e.OrderShipped: "An order is on its way.",
    e.OrderDelivered: "An order has arrived.",
    e.OrderCancelled: "An order was cancelled before it was shipped.",
    e.OrderAnonymized: "An order's customer was erased: whoever keeps their name or address "
    "forgets them now.",
}

EXAMPLES: Final[dict[type[e.Event], dict[str, Any]]] = {
    e.UserCreated: {"id": USER_ID, "version": 1, "name": "Ada", "email": "ada@example.com"},
    e.UserRenamed: {"id": USER_ID, "version": 2, "name": "Ada L."},
    e.UserEmailChanged: {"id": USER_ID, "version": 3, "email": "ada@example.org"},
    e.UserErased: {"id": USER_ID, "version": 4},
    e.ProductAdded: {
        "id": PRODUCT_ID,
        "version": 1,
        "name": "Green tea",
        "description": "100 g",
        "price": {"amount": 450, "currency": "EUR"},
        "stock": 100,
    },
    e.ProductPriceChanged: {
        "id": PRODUCT_ID,
        "version": 2,
        "price": {"amount": 500, "currency": "EUR"},
    },
    e.ProductRestocked: {"id": PRODUCT_ID, "version": 3, "quantity": 10, "stock": 110},
    e.ProductReserved: {
        "id": PRODUCT_ID,
        "version": 4,
        "order_id": ORDER_ID,
        "quantity": 2,
        "stock": 108,
    },
    e.ProductReleased: {
        "id": PRODUCT_ID,
        "version": 5,
        "order_id": ORDER_ID,
        "quantity": 2,
        "stock": 110,
    },
    e.ProductRetired: {"id": PRODUCT_ID, "version": 6},
    e.OrderPlaced: {
        "id": ORDER_ID,
        "version": 1,
        "customer_id": USER_ID,
        "customer_name": "Ada",
        "items": [
            {
                "product_id": PRODUCT_ID,
                "name": "Green tea",
                "quantity": 2,
                "unit_price": {"amount": 450, "currency": "EUR"},
            }
        ],
        "total": {"amount": 900, "currency": "EUR"},
        "shipping_address": "1 Main Street",
        "payment_due_at": "2026-03-01T10:30:00.125Z",
    },
    e.OrderPaid: {"id": ORDER_ID, "version": 2, "reference": "payment-1"},
    e.OrderRefunded: {"id": ORDER_ID, "version": 4, "reference": "refund-1"},
    e.OrderShipped: {"id": ORDER_ID, "version": 2, "carrier": "Post", "tracking_number": "X1"},
    e.OrderDelivered: {"id": ORDER_ID, "version": 3},
    e.OrderCancelled: {"id": ORDER_ID, "version": 2, "reason": "changed my mind"},
    e.OrderAnonymized: {"id": ORDER_ID, "version": 4},
}
"""Tests hold them against the schemas."""
