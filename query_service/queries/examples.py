"""Example responses in the OpenAPI document."""

from typing import Any, Final

from query_service.dashboard import DashboardDocument
from shared.contracts.documents import HistoryItem, OrderDocument, ProductDocument, UserDocument
from shared.contracts.examples import ORDER_ID, PRODUCT_ID, TIME, USER_ID

_USER: Final[UserDocument] = {
    "id": USER_ID,
    "name": "Ada",
    "email": "ada@example.com",
    "version": 1,
    "created_at": TIME,
    "updated_at": TIME,
}
_PRODUCT: Final[ProductDocument] = {
    "id": PRODUCT_ID,
    "name": "Green tea",
    "description": "100 g",
    "price": {"amount": 450, "currency": "EUR"},
    "stock": 98,
    "status": "active",
    "version": 2,
    "created_at": TIME,
    "updated_at": TIME,
}
_ORDER: Final[OrderDocument] = {
    "id": ORDER_ID,
    "customer_id": USER_ID,
    "customer_name": "Ada",
    "status": "placed",
    "items": [
        {
            "product_id": PRODUCT_ID,
            "name": "Green tea",
            "quantity": 2,
            "unit_price": {"amount": 450, "currency": "EUR"},
            "subtotal": {"amount": 900, "currency": "EUR"},
        }
    ],
    "item_count": 1,
    "total": {"amount": 900, "currency": "EUR"},
    "shipping_address": "1 Main Street",
    "carrier": None,
    "tracking_number": None,
    "cancel_reason": None,
    "payment": {
        "status": "paid",
        "due_at": "2026-03-01T10:30:00.125Z",
        "paid_at": TIME,
        "reference": "payment-1",
        "refunded_at": None,
        "refund_reference": None,
    },
    "placed_at": TIME,
    "shipped_at": None,
    "delivered_at": None,
    "cancelled_at": None,
    "version": 1,
    "updated_at": TIME,
}
_DASHBOARD: Final[DashboardDocument] = {
    "orders": {"placed": 1, "shipped": 0, "delivered": 0, "cancelled": 0, "total": 1},
    "revenue": [{"currency": "EUR", "amount": 900, "orders": 1, "average": 900}],
    "by_day": [
        {"date": "2026-03-01", "orders": 1, "revenue": [{"currency": "EUR", "amount": 900}]}
    ],
    "payments": {"due": 0, "paid": 1, "overdue": 0, "refund_due": 0, "refunded": 0},
    "users": 1,
    "products": 1,
    "sold_out": 0,
}


def _page(item: Any) -> Any:
    return {"items": [item], "next": None}


def _history(type: str, data: dict[str, Any]) -> Any:
    item: HistoryItem = {"type": type, "at": TIME, "by": USER_ID, "version": 1, "data": data}
    return _page(item)


RESPONSES: Final[dict[str, Any]] = {
    "GetUserById": _USER,
    "ListUsers": _page(_USER),
    "GetProduct": _PRODUCT,
    "SearchProducts": _page(_PRODUCT),
    "GetOrderSummary": _ORDER,
    "GetRecentOrders": _page(_ORDER),
    "GetCustomerOrders": _page(_ORDER),
    "GetUserHistory": _history("user.created", {"name": "Ada", "email": "ada@example.com"}),
    "GetProductHistory": _history("product.restocked", {"quantity": 10, "stock": 110}),
    "GetOrderHistory": _history("order.cancelled", {"reason": "changed my mind"}),
    "GetDashboard": _DASHBOARD,
    "GetProjections": {
        "shards": [
            {
                "shard": "orders.4",
                "position": 17,
                "head": 17,
                "lag": 0,
                "age_seconds": 0.4,
                "parked": 0,
            }
        ],
        "lag": 0,
        "age_seconds": 0.4,
    },
    "GetParked": _page(
        {
            "shard": "orders.4",
            "id": ORDER_ID,
            "first_position": 16,
            "events": 2,
            "type": "order.shipped",
            "reason": "UnknownType",
            "since": TIME,
        }
    ),
}
"""By operation id."""
