"""The scopes that commands need."""

from typing import Final

OWN: Final = {
    "UpdateUserName": "users:write",
    "UpdateUserEmail": "users:write",
    "EraseUser": "users:write",
    "PlaceOrder": "orders:write",
    "CancelOrder": "orders:write",
}
REACHING_ALL: Final = {
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
NARROW: Final = frozenset(OWN.values())
EVERY: Final = NARROW | frozenset(REACHING_ALL.values())
