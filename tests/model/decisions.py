"""The effect of each command on the model, or its rejection."""

from collections.abc import Callable
from typing import Any, Final

from tests.model.model import Json, Model, Rejected, Request, email_key

MAX_STOCK: Final = 10**9
PAYMENT_FIELDS: Final = ("due_at", "paid_at", "reference", "refunded_at", "refund_reference")


def _check_email(model: Model, email: str, owner: str | None) -> None:
    for id, user in model.users.items():
        if id != owner and not user["erased"] and email_key(user["email"]) == email_key(email):
            raise Rejected(409, "email-taken")


def create_user(model: Model, request: Request, new_id: str) -> str:
    name, email = request.body["name"].strip(), request.body["email"].strip()
    _check_email(model, email, None)
    model.users[new_id] = {"name": name, "email": email, "erased": False}
    model.append_event(new_id, "user.created", request.sub, name=name, email=email)
    return new_id


def update_name(model: Model, request: Request, _: str) -> str:
    id, name = model.find_target(request), request.body["name"].strip()
    if model.users[id]["name"] != name:
        model.users[id]["name"] = name
        model.append_event(id, "user.renamed", request.sub, name=name)
    return id


def update_email(model: Model, request: Request, _: str) -> str:
    id, email = model.find_target(request), request.body["email"].strip()
    _check_email(model, email, id)
    if model.users[id]["email"] != email:
        model.users[id]["email"] = email
        model.append_event(id, "user.email_changed", request.sub, email=email)
    return id


def erase_user(model: Model, request: Request, _: str) -> str:
    id = model.find_target(request)
    model.users[id] = {"name": None, "email": None, "erased": True}
    model.append_event(id, "user.erased", request.sub)
    return id


def add_product(model: Model, request: Request, new_id: str) -> str:
    body = request.body
    product = {**body, "name": body["name"].strip(), "description": body["description"].strip()}
    model.products[new_id] = {**product, "status": "active"}
    model.append_event(new_id, "product.added", request.sub, **product)
    return new_id


def _active_product(model: Model, request: Request) -> tuple[str, Json]:
    id = model.find_target(request)
    if model.products[id]["status"] == "retired":
        raise Rejected(409, "product-retired")
    return id, model.products[id]


def update_price(model: Model, request: Request, _: str) -> str:
    id, product = _active_product(model, request)
    if product["price"] != request.body["price"]:
        product["price"] = request.body["price"]
        model.append_event(id, "product.price_changed", request.sub, price=product["price"])
    return id


def restock(model: Model, request: Request, _: str) -> str:
    id, product = _active_product(model, request)
    quantity = request.body["quantity"]
    if product["stock"] + quantity > MAX_STOCK:
        raise Rejected(409, "stock-limit")
    product["stock"] += quantity
    stock = product["stock"]
    model.append_event(id, "product.restocked", request.sub, quantity=quantity, stock=stock)
    return id


def retire(model: Model, request: Request, _: str) -> str:
    id, product = _active_product(model, request)
    product["status"] = "retired"
    model.append_event(id, "product.retired", request.sub)
    return id


def _change_stock(model: Model, order: str, line: Json, type: str, sign: int) -> None:
    product = model.products[line["product_id"]]
    product["stock"] += sign * line["quantity"]
    data = {"order_id": order, "quantity": line["quantity"], "stock": product["stock"]}
    model.append_event(line["product_id"], type, None, **data)


def place_order(model: Model, request: Request, new_id: str) -> str:
    body, lines = request.body, request.body["items"]
    customer = model.users.get(body["customer_id"])
    exist = all(line["product_id"] in model.products for line in lines)
    if customer is None or customer["erased"] or not exist:
        raise Rejected(422, "unknown-reference")
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
    model.orders[new_id] = order
    model.append_event(new_id, "order.placed", request.sub, **placed, payment_due_at=None)
    for line in lines:
        _change_stock(model, new_id, line, "product.reserved", -1)
    return new_id


def _check_sellable(lines: list[Json], products: list[Json]) -> None:
    """If several reasons apply, the rejection may name any of them."""
    reasons = []
    if any(product["status"] == "retired" for product in products):
        reasons.append("product-retired")
    if len({product["price"]["currency"] for product in products}) > 1:
        reasons.append("currency-mismatch")
    if any(p["stock"] < line["quantity"] for line, p in zip(lines, products, strict=True)):
        reasons.append("insufficient-stock")
    if reasons:
        raise Rejected(409, "|".join(reasons))


def _change_status(model: Model, request: Request, allowed: str, status: str) -> str:
    id = model.find_target(request)
    if model.orders[id]["status"] != allowed:
        raise Rejected(409, "order-state")
    model.orders[id]["status"] = status
    return id


def _of_order(model: Model, id: str, personal: str) -> str | None:
    """A personal value of an order is not stored if its customer is erased."""
    erased = model.users[model.orders[id]["customer_id"]]["erased"]
    return None if erased else personal.strip()


def ship(model: Model, request: Request, _: str) -> str:
    id = _change_status(model, request, "placed", "shipped")
    label = {
        name: _of_order(model, id, request.body[name]) for name in ("carrier", "tracking_number")
    }
    model.orders[id].update(label)
    model.append_event(id, "order.shipped", request.sub, **label)
    return id


def deliver(model: Model, request: Request, _: str) -> str:
    id = _change_status(model, request, "shipped", "delivered")
    model.append_event(id, "order.delivered", request.sub)
    return id


def cancel(model: Model, request: Request, _: str) -> str:
    id = _change_status(model, request, "placed", "cancelled")
    reason = _of_order(model, id, request.body["reason"])
    model.orders[id]["cancel_reason"] = reason
    if model.orders[id]["payment"]["status"] == "paid":
        model.orders[id]["payment"]["status"] = "refund_due"
    model.append_event(id, "order.cancelled", request.sub, reason=reason)
    for line in model.orders[id]["items"]:
        _change_stock(model, id, line, "product.released", 1)
    return id


def pay(model: Model, request: Request, _: str) -> str:
    id, reference = model.find_target(request), request.body["reference"].strip()
    order, payment = model.orders[id], model.orders[id]["payment"]
    if payment["reference"] == reference:
        return id
    if payment["reference"] is not None or order["status"] != "placed":
        raise Rejected(409, "order-state")
    payment.update(status="paid", reference=reference)
    model.append_event(id, "order.paid", request.sub, reference=reference)
    return id


def refund(model: Model, request: Request, _: str) -> str:
    id, reference = model.find_target(request), request.body["reference"].strip()
    payment = model.orders[id]["payment"]
    if payment["refund_reference"] == reference:
        return id
    if payment["status"] != "refund_due":
        raise Rejected(409, "order-state")
    payment.update(status="refunded", refund_reference=reference)
    model.append_event(id, "order.refunded", request.sub, reference=reference)
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
