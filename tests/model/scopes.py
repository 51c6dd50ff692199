"""The scopes that commands need."""

from typing import Final

OWN: Final = {
    "UpdateUserName": "users:write",
    "UpdateUserEmail": "users:write",
    "EraseUser": "users:write",
    "PlaceOrder": "orders:write",
    "CancelOrder": "orders:write",
}
UNRESTRICTED: Final = {
    "CreateUser": "users:write:all",
    "UpdateUserName": "users:write:all",
    "UpdateUserEmail": "users:write:all",
    "EraseUser": "users:write:all",
    "AddProduct": "products:write",
    "UpdateProductPrice": "products:write",
    "RestockProduct": "products:write",
    "RetireProduct": "products:write",
    "PlaceOrder": "orders:write:all",
    "PayOrder": "orders:write:all",
    "RefundOrder": "orders:write:all",
    "ShipOrder": "orders:write:all",
    "DeliverOrder": "orders:write:all",
    "CancelOrder": "orders:write:all",
}
OWN_SCOPES: Final = frozenset(OWN.values())
ALL_SCOPES: Final = OWN_SCOPES | frozenset(UNRESTRICTED.values())
