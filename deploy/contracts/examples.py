"""A summary and an example of each event type, for the published documents."""

from typing import Any, Final

from shared.contracts import events as e
from shared.contracts.examples import ORDER_ID, PRODUCT_ID, USER_ID

SUMMARIES: Final[dict[type[e.Event], str]] = {
    e.UserCreated: "An account was created.",
    e.UserRenamed: "The name of a user was changed.",
    e.UserEmailChanged: "The email address of a user was changed.",
    e.UserErased: "A user was erased: consumers must delete the user's name and email address.",
    e.ProductAdded: "A product was added to the catalogue.",
    e.ProductPriceChanged: "The price of a product was changed, possibly with its currency.",
    e.ProductRestocked: "The stock of a product was increased.",
    e.ProductReserved: "Stock of a product was reserved for an order.",
    e.ProductReleased: "Stock reserved for an order was released because the order was cancelled.",
    e.ProductRetired: "A product was retired; existing orders keep it.",
    e.OrderPlaced: "An order was placed, with the prices and names at that time.",
    e.OrderPaid: "An order was paid. `reference` names the payment and is not personal data.",
    e.OrderRefunded: "The payment of a cancelled order was refunded.",
    e.OrderShipped: "An order was shipped.",
    e.OrderDelivered: "An order was delivered.",
    e.OrderCancelled: "An order was cancelled before it was shipped.",
    e.OrderAnonymized: "The customer of an order was erased: consumers must delete the name and "
    "address.",
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
"""Tests validate them against the schemas."""
