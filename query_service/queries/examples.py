"""What each query may answer, as the documentation shows it."""

from typing import Any, Final

from query_service.dashboard import DashboardDocument
from shared.contracts.documents import HistoryItem, OrderDocument, ProductDocument, UserDocument

_USER_ID: Final = "019cb1a4-7c35-7d10-9f3a-5b1c60a2e7c4"
_PRODUCT_ID: Final = "019cb1a4-91aa-7b02-8a44-0d6f1e93b0a1"
_ORDER_ID: Final = "019cb1a5-02f1-7e4b-b5d0-93c4a1f087c4"
_AT: Final = "2026-03-01T09:30:00.125Z"

_USER: Final[UserDocument] = {
    "id": _USER_ID,
    "name": "Ada",
    "email": "ada@example.com",
    "version": 1,
    "created_at": _AT,
    "updated_at": _AT,
}
_PRODUCT: Final[ProductDocument] = {
    "id": _PRODUCT_ID,
    "name": "Green tea",
    "description": "100 g",
    "price": {"amount": 450, "currency": "EUR"},
    "stock": 98,
    "status": "active",
    "version": 2,
    "created_at": _AT,
    "updated_at": _AT,
}
_ORDER: Final[OrderDocument] = {
    "id": _ORDER_ID,
    "customer_id": _USER_ID,
    "customer_name": "Ada",
    "status": "placed",
    "items": [
        {
            "product_id": _PRODUCT_ID,
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
    "placed_at": _AT,
    "shipped_at": None,
    "delivered_at": None,
    "cancelled_at": None,
    "version": 1,
    "updated_at": _AT,
}
_DASHBOARD: Final[DashboardDocument] = {
    "orders": {"placed": 1, "shipped": 0, "delivered": 0, "cancelled": 0, "total": 1},
    "revenue": [{"currency": "EUR", "amount": 900, "orders": 1, "average": 900}],
    "by_day": [
        {"date": "2026-03-01", "orders": 1, "revenue": [{"currency": "EUR", "amount": 900}]}
    ],
    "users": 1,
    "products": 1,
    "sold_out": 0,
}


def _page(item: Any) -> Any:
    return {"items": [item], "next": None}


def _history(type: str, data: dict[str, Any]) -> Any:
    item: HistoryItem = {"type": type, "at": _AT, "by": _USER_ID, "version": 1, "data": data}
    return _page(item)


ANSWERS: Final[dict[str, Any]] = {
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
}
"""By operation."""
