"""One valid request for each command, and the aggregates that they are sent to."""

import uuid
from dataclasses import dataclass
from typing import Any, Final

from tests.contract.client import AllTokens

PRICE: Final = {"amount": 250, "currency": "EUR"}


@dataclass(frozen=True)
class Targets:
    """A user, a product in stock, and orders: one placed, one shipped, one cancelled and paid."""

    user: str
    product: str
    placed: str
    shipped: str
    refundable: str

    @classmethod
    async def create(cls, shop: AllTokens) -> "Targets":
        user, product = await shop.user(), await shop.product()
        orders = [(await shop.order(user, (product, 1))).json()["id"] for _ in range(3)]
        label = {"carrier": "Post", "tracking_number": "1"}
        assert (await shop.send("POST", f"/v1/orders/{orders[1]}/ship", label)).status_code == 200
        for step, body in (("pay", {"reference": "payment-1"}), ("cancel", {"reason": "late"})):
            path = f"/v1/orders/{orders[2]}/{step}"
            assert (await shop.send("POST", path, body)).status_code == 200
        return cls(user, product, *orders)


@dataclass(frozen=True)
class Call:
    """A command's request. `version` is the current version of its target, None for a new one."""

    method: str
    path: str
    body: dict[str, Any] | None
    version: int | None = None


def new_email() -> str:
    return f"{uuid.uuid4().hex}@example.org"


def order_body(customer: str, *lines: tuple[str, int]) -> dict[str, Any]:
    items = [{"product_id": product, "quantity": quantity} for product, quantity in lines]
    return {"customer_id": customer, "items": items, "shipping_address": "1 Main Street"}


def calls(targets: Targets) -> dict[str, Call]:
    """By the command's name; each is valid if it is sent first."""
    user, product = f"/v1/users/{targets.user}", f"/v1/products/{targets.product}"
    placed, shipped = f"/v1/orders/{targets.placed}", f"/v1/orders/{targets.shipped}"
    refundable = f"/v1/orders/{targets.refundable}"
    added = {"name": "Cup", "description": "", "price": PRICE, "stock": 3}
    label = {"carrier": "Post", "tracking_number": "2"}
    price = {"amount": 300, "currency": "EUR"}
    order = order_body(targets.user, (targets.product, 1))
    return {
        "CreateUser": Call("POST", "/v1/users", {"name": "Grace", "email": new_email()}),
        "UpdateUserName": Call("PUT", f"{user}/name", {"name": "Grace"}, 1),
        "UpdateUserEmail": Call("PUT", f"{user}/email", {"email": new_email()}, 1),
        "EraseUser": Call("DELETE", user, None, 1),
        "AddProduct": Call("POST", "/v1/products", added),
        "UpdateProductPrice": Call("PUT", f"{product}/price", {"price": price}, 5),
        "RestockProduct": Call("POST", f"{product}/restock", {"quantity": 5}, 5),
        "RetireProduct": Call("DELETE", product, None, 5),
        "PlaceOrder": Call("POST", "/v1/orders", order),
        "PayOrder": Call("POST", f"{placed}/pay", {"reference": "payment-1"}, 1),
        "RefundOrder": Call("POST", f"{refundable}/refund", {"reference": "refund-1"}, 3),
        "ShipOrder": Call("POST", f"{placed}/ship", label, 1),
        "DeliverOrder": Call("POST", f"{shipped}/deliver", None, 2),
        "CancelOrder": Call("POST", f"{placed}/cancel", {"reason": "late"}, 1),
    }


NAMES: Final = tuple(calls(Targets(*[""] * 5)))
TO_EXISTING: Final = tuple(n for n, c in calls(Targets(*[""] * 5)).items() if c.version)
WITH_BODY: Final = tuple(n for n, c in calls(Targets(*[""] * 5)).items() if c.body)
