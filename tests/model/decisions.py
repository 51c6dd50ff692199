"""What each command does to the model, or why it is refused."""

from collections.abc import Callable
from typing import Any, Final

from tests.model.model import Json, Model, Refused, Request, email_key

MOST_STOCK: Final = 10**9
PAYMENT_FIELDS: Final = ("due_at", "paid_at", "reference", "refunded_at", "refund_reference")


def _take_email(model: Model, email: str, taker: str | None) -> None:
    for id, user in model.users.items():
        if id != taker and not user["erased"] and email_key(user["email"]) == email_key(email):
            raise Refused(409, "email-taken")


def create_user(model: Model, request: Request, given_id: str) -> str:
    name, email = request.body["name"].strip(), request.body["email"].strip()
    _take_email(model, email, None)
    model.users[given_id] = {"name": name, "email": email, "erased": False}
    model.happens(given_id, "user.created", request.sub, name=name, email=email)
    return given_id


def update_name(model: Model, request: Request, _: str) -> str:
    id, name = model.found(request), request.body["name"].strip()
    if model.users[id]["name"] != name:
        model.users[id]["name"] = name
        model.happens(id, "user.renamed", request.sub, name=name)
    return id


def update_email(model: Model, request: Request, _: str) -> str:
    id, email = model.found(request), request.body["email"].strip()
    _take_email(model, email, id)
    if model.users[id]["email"] != email:
        model.users[id]["email"] = email
        model.happens(id, "user.email_changed", request.sub, email=email)
    return id


def erase_user(model: Model, request: Request, _: str) -> str:
    id = model.found(request)
    model.users[id] = {"name": None, "email": None, "erased": True}
    model.happens(id, "user.erased", request.sub)
    return id


def add_product(model: Model, request: Request, given_id: str) -> str:
    body = request.body
    product = {**body, "name": body["name"].strip(), "description": body["description"].strip()}
    model.products[given_id] = {**product, "status": "active"}
    model.happens(given_id, "product.added", request.sub, **product)
    return given_id


def _sold_product(model: Model, request: Request) -> tuple[str, Json]:
    id = model.found(request)
    if model.products[id]["status"] == "retired":
        raise Refused(409, "product-retired")
    return id, model.products[id]


def update_price(model: Model, request: Request, _: str) -> str:
    id, product = _sold_product(model, request)
    if product["price"] != request.body["price"]:
        product["price"] = request.body["price"]
        model.happens(id, "product.price_changed", request.sub, price=product["price"])
    return id


def restock(model: Model, request: Request, _: str) -> str:
    id, product = _sold_product(model, request)
    quantity = request.body["quantity"]
    if product["stock"] + quantity > MOST_STOCK:
        raise Refused(409, "stock-limit")
    product["stock"] += quantity
    stock = product["stock"]
    model.happens(id, "product.restocked", request.sub, quantity=quantity, stock=stock)
    return id


def retire(model: Model, request: Request, _: str) -> str:
    id, product = _sold_product(model, request)
    product["status"] = "retired"
    model.happens(id, "product.retired", request.sub)
    return id


def _move(model: Model, order: str, line: Json, type: str, sign: int) -> None:
    product = model.products[line["product_id"]]
    product["stock"] += sign * line["quantity"]
    data = {"order_id": order, "quantity": line["quantity"], "stock": product["stock"]}
    model.happens(line["product_id"], type, None, **data)


def place_order(model: Model, request: Request, given_id: str) -> str:
    body, lines = request.body, request.body["items"]
    customer = model.users.get(body["customer_id"])
    known = all(line["product_id"] in model.products for line in lines)
    if customer is None or customer["erased"] or not known:
        raise Refused(422, "unknown-reference")
    products = [model.products[line["product_id"]] for line in lines]
    _check_sellable(lines, products)
    items = [
        {**line, "name": product["name"], "unit_price": product["price"]}
        for line, product in zip(lines, products, strict=True)
    ]
    amount = sum(item["quantity"] * item["unit_price"]["amount"] for item in items)
    placed: dict[str, Any] = {
        "customer_id": body["customer_id"],
        "customer_name": customer["name"],
        "items": items,
        "total": {"amount": amount, "currency": products[0]["price"]["currency"]},
        "shipping_address": body["shipping_address"].strip(),
    }
    payment = {"status": "none", **dict.fromkeys(PAYMENT_FIELDS)}
    fields = ("carrier", "tracking_number", "cancel_reason")
    order = {**placed, "status": "placed", "payment": payment, **dict.fromkeys(fields)}
    model.orders[given_id] = order
    model.happens(given_id, "order.placed", request.sub, **placed, payment_due_at=None)
    for line in lines:
        _move(model, given_id, line, "product.reserved", -1)
    return given_id


def _check_sellable(lines: list[Json], products: list[Json]) -> None:
    """Where several reasons apply, any of them may be the one that is named."""
    reasons = []
    if any(product["status"] == "retired" for product in products):
        reasons.append("product-retired")
    if len({product["price"]["currency"] for product in products}) > 1:
        reasons.append("currency-mismatch")
    if any(p["stock"] < line["quantity"] for line, p in zip(lines, products, strict=True)):
        reasons.append("insufficient-stock")
    if reasons:
        raise Refused(409, "|".join(reasons))


def _step(model: Model, request: Request, allowed: str, status: str) -> str:
    id = model.found(request)
    if model.orders[id]["status"] != allowed:
        raise Refused(409, "order-state")
    model.orders[id]["status"] = status
    return id


def ship(model: Model, request: Request, _: str) -> str:
    id = _step(model, request, "placed", "shipped")
    label = {name: request.body[name].strip() for name in ("carrier", "tracking_number")}
    model.orders[id].update(label)
    model.happens(id, "order.shipped", request.sub, **label)
    return id


def deliver(model: Model, request: Request, _: str) -> str:
    id = _step(model, request, "shipped", "delivered")
    model.happens(id, "order.delivered", request.sub)
    return id


def cancel(model: Model, request: Request, _: str) -> str:
    id = _step(model, request, "placed", "cancelled")
    reason = request.body["reason"].strip()
    model.orders[id]["cancel_reason"] = reason
    if model.orders[id]["payment"]["status"] == "paid":
        model.orders[id]["payment"]["status"] = "refund_due"
    model.happens(id, "order.cancelled", request.sub, reason=reason)
    for line in model.orders[id]["items"]:
        _move(model, id, line, "product.released", 1)
    return id


def pay(model: Model, request: Request, _: str) -> str:
    id, reference = model.found(request), request.body["reference"].strip()
    order, payment = model.orders[id], model.orders[id]["payment"]
    if payment["reference"] == reference:
        return id
    if payment["reference"] is not None or order["status"] != "placed":
        raise Refused(409, "order-state")
    payment.update(status="paid", reference=reference)
    model.happens(id, "order.paid", request.sub, reference=reference)
    return id


def refund(model: Model, request: Request, _: str) -> str:
    id, reference = model.found(request), request.body["reference"].strip()
    payment = model.orders[id]["payment"]
    if payment["refund_reference"] == reference:
        return id
    if payment["status"] != "refund_due":
        raise Refused(409, "order-state")
    payment.update(status="refunded", refund_reference=reference)
    model.happens(id, "order.refunded", request.sub, reference=reference)
    return id


DECISIONS: Final[dict[str, Callable[[Model, Request, str], str]]] = {
    "CreateUser": create_user,
    "UpdateUserName": update_name,
    "UpdateUserEmail": update_email,
    "EraseUser": erase_user,
    "AddProduct": add_product,
    "UpdateProductPrice": update_price,
    "RestockProduct": restock,
    "RetireProduct": retire,
    "PlaceOrder": place_order,
    "PayOrder": pay,
    "RefundOrder": refund,
    "ShipOrder": ship,
    "DeliverOrder": deliver,
    "CancelOrder": cancel,
}
