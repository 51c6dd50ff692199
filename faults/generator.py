"""Generates the next command or read from a seed and the state of the shop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from faults.shop_model import KnownAggregate, ShopModel
from query_service.http.parameters import MAX_LIMIT


@dataclass(slots=True)
class CommandRequest:
    """A command to send. The `mark` in its fields makes it unique."""

    name: str
    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


PayWithin = Sequence[int | None]
"""The values of `pay_within_seconds` that the load chooses from."""
Choose = Callable[[ShopModel, Random, str], CommandRequest | None]


def next_command(
    shop: ShopModel, random: Random, mark: str, pay_within: PayWithin
) -> CommandRequest:
    """A command that is possible in the current state of the shop."""
    while True:
        choose = random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        if command := choose(shop, random, mark):
            if command.name == "PlaceOrder":
                command.body["pay_within_seconds"] = random.choice(pay_within)
            return command


def _create_user(shop: ShopModel, random: Random, mark: str) -> CommandRequest:
    body = {"name": f"Ada {mark}", "email": f"{mark}@example.com"}
    return CommandRequest("CreateUser", "POST", "/v1/users", body)


def _add_product(shop: ShopModel, random: Random, mark: str) -> CommandRequest:
    body = {
        "name": f"Tea {mark}",
        "description": random.choice(["loose", "in bags", ""]),
        "price": {"amount": random.randint(1, 999), "currency": "EUR"},
        "stock": random.randint(0, 40),
    }
    return CommandRequest("AddProduct", "POST", "/v1/products", body)


def _place_order(shop: ShopModel, random: Random, mark: str) -> CommandRequest | None:
    customer = shop.choose(shop.users, random, "active")
    found = [shop.choose(shop.products, random, "active") for _ in range(random.randint(1, 3))]
    products = {product.id for product in found if product}
    if customer is None or not products:
        return None
    items = [{"product_id": id, "quantity": random.randint(1, 4)} for id in sorted(products)]
    body = {"customer_id": customer.id, "items": items, "shipping_address": f"{mark} Street"}
    return CommandRequest("PlaceOrder", "POST", "/v1/orders", body)


def _to_user(name: str, method: str, step: str, body: Callable[[Random, str], Any]) -> Choose:
    return _to(name, method, "users", step, ("active",), body)


def _to_product(name: str, method: str, step: str, body: Callable[[Random, str], Any]) -> Choose:
    return _to(name, method, "products", step, ("active",), body)


def _to_order(name: str, step: str, state: str, body: Callable[[Random, str], Any]) -> Choose:
    return _to(name, "POST", "orders", step, (state,), body)


def _pay_order(shop: ShopModel, random: Random, mark: str) -> CommandRequest | None:
    return _with_reference(shop, random, mark, "PayOrder", "pay", ("placed",))


def _refund_order(shop: ShopModel, random: Random, mark: str) -> CommandRequest | None:
    return _with_reference(shop, random, mark, "RefundOrder", "refund", ("refund_due", "refunded"))


def _with_reference(
    shop: ShopModel, random: Random, mark: str, name: str, step: str, states: tuple[str, ...]
) -> CommandRequest | None:
    """Some orders get several: half with the same reference, half each with a new one."""
    known = shop.choose(shop.orders, random, *states)
    if known is None:
        return None
    body = {"reference": f"{step} {random.choice([known.id, mark])}"}
    return CommandRequest(name, "POST", f"/v1/orders/{known.id}/{step}", body)


def _to(
    name: str,
    method: str,
    kind: str,
    step: str,
    states: tuple[str, ...],
    body: Callable[[Random, str], Any],
) -> Choose:
    def choose(shop: ShopModel, random: Random, mark: str) -> CommandRequest | None:
        aggregates: dict[str, KnownAggregate] = getattr(shop, kind)
        known = shop.choose(aggregates, random, *states)
        if known is None:
            return None
        # A fifth of them state the version that they read, so that some responses are 412.
        headers = {"If-Match": f'"{known.version}"'} if random.random() < 0.2 else {}
        return CommandRequest(
            name, method, f"/v1/{kind}/{known.id}{step}", body(random, mark), headers
        )

    return choose


def _no_body(random: Random, mark: str) -> None:
    return None


def _quantity(random: Random, mark: str) -> dict[str, int]:
    return {"quantity": random.randint(1, 9)}


def _price(random: Random, mark: str) -> dict[str, Any]:
    return {"price": {"amount": random.randint(1, 999), "currency": "EUR"}}


_WEIGHTS: Final[dict[Choose, int]] = {
    _create_user: 8,
    _to_user("UpdateUserName", "PUT", "/name", lambda random, mark: {"name": f"Grace {mark}"}): 10,
    _to_user(
        "UpdateUserEmail", "PUT", "/email", lambda random, mark: {"email": f"{mark}@example.org"}
    ): 6,
    _to_user("EraseUser", "DELETE", "", _no_body): 2,
    _add_product: 5,
    _to_product("UpdateProductPrice", "PUT", "/price", _price): 6,
    _to_product("RestockProduct", "POST", "/restock", _quantity): 8,
    _to_product("RetireProduct", "DELETE", "", _no_body): 1,
    _place_order: 30,
    _pay_order: 20,
    _refund_order: 8,
    _to_order(
        "ShipOrder",
        "/ship",
        "placed",
        lambda r, mark: {"carrier": "DHL", "tracking_number": f"Parcel {mark}"},
    ): 9,
    _to_order("DeliverOrder", "/deliver", "shipped", _no_body): 6,
    _to_order(
        "CancelOrder", "/cancel", "placed", lambda random, mark: {"reason": f"Reason {mark}"}
    ): 6,
}


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A read to send. `owner`: the caller, if it is sent with the scopes of an owner."""

    name: str
    path: str
    id: str | None = None
    token: str = ""
    owner: str = ""


def next_read(shop: ShopModel, random: Random) -> ReadRequest:
    """Half of the reads carry the token of an acknowledged command."""
    kind = random.choice(["users", "products", "orders", "orders"])
    aggregates: dict[str, KnownAggregate] = getattr(shop, kind)
    known = shop.choose(aggregates, random, *_READABLE)
    if known is None:
        return ReadRequest("ListUsers", "/v1/users")
    token = known.token if random.random() < 0.5 else ""
    owner = {"users": known.id, "orders": known.owner}.get(kind, "")
    if random.random() < 0.5:
        owner = ""
    roll = random.random()
    if roll < 0.6:
        return ReadRequest(_DOCUMENTS[kind], f"/v1/{kind}/{known.id}", known.id, token, owner)
    if roll < 0.7:
        return ReadRequest("GetDashboard", "/v1/dashboard", token=token)
    if roll < 0.8:
        path = f"/v1/{kind}/{known.id}/history?limit={MAX_LIMIT}"
        return ReadRequest("GetHistory", path, known.id, token)
    if kind == "orders" and known.owner:
        path = f"/v1/users/{known.owner}/orders?limit={MAX_LIMIT}"
        return ReadRequest("GetCustomerOrders", path, known.owner, token, owner)
    return ReadRequest(f"List{kind.capitalize()}", f"/v1/{kind}", token=token)


_READABLE: Final = ("active", "retired", "placed", "shipped", "delivered", "cancelled",
                    "refund_due", "refunded")  # fmt: skip
_DOCUMENTS: Final = {"users": "GetUserById", "products": "GetProduct", "orders": "GetOrderSummary"}
