"""Random commands, valid or not, by all kinds of callers; each response must equal the model's."""

import secrets
import time
from typing import Any, Final

from tests.model.agreement import Agreement
from tests.model.expected_responses import expected_response
from tests.model.model import Model, Request
from tests.model.scopes import ALL_SCOPES, OWN_SCOPES
from tests.model.tandem import Tandem
from tests.model.walks import (
    emails,
    keys,
    lines_of_orders,
    names,
    prices,
    references,
    restocks,
    rule,
    sellers,
    senders,
    staff,
    stocks,
    target_numbers,
    texts,
    versions,
)

UNKNOWN_ID: Final = "01890000-0000-7000-8000-{:012x}"
Json = dict[str, Any]


class RandomCommands:
    """One run, with its own users, products, orders, emails and keys."""

    def __init__(self, tandem: Tandem) -> None:
        self.tandem, self.model = tandem, Model()
        self.salt = f"m{secrets.token_hex(5)}"
        self.sent: list[Request] = []
        self.dashboard = tandem.get("/v1/dashboard")

    def open(self) -> None:
        for name in ("Ada", "Grace"):
            email = f"{name}@{self.salt}"
            self._send("CreateUser", None, {"name": name, "email": email}, "all", None, None)
        price = {"amount": 250, "currency": "EUR"}
        for stock in (2, 5):
            body = {"name": f"Tea {self.salt}", "description": "", "price": price, "stock": stock}
            self._send("AddProduct", None, body, "all", None, None)

    @rule(name=names, email=emails, by=staff, key=keys)
    def create_user(self, name: str, email: str | None, by: str, key: str | None) -> None:
        self._send("CreateUser", None, {"name": name, "email": self._email(email)}, by, key, None)

    @rule(n=target_numbers, name=names, by=senders, key=keys, version=versions)
    def rename(self, n: int, name: str, by: str, key: str | None, version: int | None) -> None:
        target = self._one_of(self.model.users, n)
        self._send("UpdateUserName", target, {"name": name}, by, key, version)

    @rule(n=target_numbers, email=emails, by=senders, key=keys, version=versions)
    def change_email(
        self, n: int, email: str | None, by: str, key: str | None, version: int | None
    ) -> None:
        target = self._one_of(self.model.users, n)
        self._send("UpdateUserEmail", target, {"email": self._email(email)}, by, key, version)

    @rule(n=range(6, 12), by=senders, key=keys, version=versions)
    def erase(self, n: int, by: str, key: str | None, version: int | None) -> None:
        self._send("EraseUser", self._one_of(self.model.users, n), {}, by, key, version)

    @rule(2, name=names, price=prices, stock=stocks, by=sellers, key=keys)
    def add_product(self, name: str, price: Json, stock: int, by: str, key: str | None) -> None:
        body = {"name": name, "description": f" {self.salt}", "price": price, "stock": stock}
        self._send("AddProduct", None, body, by, key, None)

    @rule(n=target_numbers, price=prices, by=sellers, key=keys, version=versions)
    def reprice(self, n: int, price: Json, by: str, key: str | None, version: int | None) -> None:
        target = self._one_of(self.model.products, n)
        self._send("UpdateProductPrice", target, {"price": price}, by, key, version)

    @rule(2, n=target_numbers, quantity=restocks, by=sellers, key=keys, version=versions)
    def restock(self, n: int, quantity: int, by: str, key: str | None, version: int | None) -> None:
        target = self._one_of(self.model.products, n)
        self._send("RestockProduct", target, {"quantity": quantity}, by, key, version)

    @rule(n=target_numbers, by=sellers, key=keys, version=versions)
    def retire(self, n: int, by: str, key: str | None, version: int | None) -> None:
        self._send("RetireProduct", self._one_of(self.model.products, n), {}, by, key, version)

    @rule(
        3,
        n=target_numbers,
        lines=lines_of_orders,
        address=texts,
        by=senders,
        key=keys,
    )
    def place(
        self, n: int, lines: list[tuple[int, int]], address: str, by: str, key: str | None
    ) -> None:
        items = [
            {"product_id": self._one_of(self.model.products, product), "quantity": quantity}
            for product, quantity in lines
        ]
        customer = self._one_of(self.model.users, n)
        body = {"customer_id": customer, "items": items, "shipping_address": address}
        self._send("PlaceOrder", None, body, by, key, None)

    @rule(n=target_numbers, by=staff, key=keys, version=versions, a=texts, b=texts)
    def ship(self, n: int, by: str, key: str | None, version: int | None, a: str, b: str) -> None:
        body = {"carrier": a, "tracking_number": b}
        self._send("ShipOrder", self._one_of(self.model.orders, n), body, by, key, version)

    @rule(n=target_numbers, by=staff, key=keys, version=versions)
    def deliver(self, n: int, by: str, key: str | None, version: int | None) -> None:
        self._send("DeliverOrder", self._one_of(self.model.orders, n), {}, by, key, version)

    @rule(2, n=target_numbers, by=senders, key=keys, version=versions, reason=texts)
    def cancel(self, n: int, by: str, key: str | None, version: int | None, reason: str) -> None:
        target = self._one_of(self.model.orders, n)
        self._send("CancelOrder", target, {"reason": reason}, by, key, version)

    @rule(2, n=target_numbers, by=staff, key=keys, version=versions, reference=references)
    def pay(self, n: int, by: str, key: str | None, version: int | None, reference: str) -> None:
        body, target = {"reference": reference}, self._one_of(self.model.orders, n)
        self._send("PayOrder", target, body, by, key, version)

    @rule(2, n=target_numbers, by=staff, key=keys, version=versions, reference=references)
    def refund(self, n: int, by: str, key: str | None, version: int | None, reference: str) -> None:
        body = {"reference": reference}
        due = [id for id, o in self.model.orders.items() if o["payment"]["status"] == "refund_due"]
        target = due[-1] if due and n % 2 else self._one_of(self.model.orders, n)
        self._send("RefundOrder", target, body, by, key, version)

    @rule(3, n=target_numbers, product=target_numbers)
    def place_a_valid_order(self, n: int, product: int) -> None:
        target = self._one_of(self.model.products, product)
        self._send("RestockProduct", target, {"quantity": 1}, "products", None, None)
        items = [{"product_id": target, "quantity": 1}]
        customer = self._one_of(self.model.users, n)
        body = {"customer_id": customer, "items": items, "shipping_address": "1 Main Street"}
        self._send("PlaceOrder", None, body, "owner", None, None)

    @rule(3, n=target_numbers, step=["ship", "ship", "cancel"], key=keys)
    def change_status(self, n: int, step: str, key: str | None) -> None:
        target = self._one_of(self.model.orders, n)
        status = self.model.orders.get(target, {}).get("status")
        if status == "shipped":
            self._send("DeliverOrder", target, {}, "all", key, None)
        elif step == "cancel":
            self._send("CancelOrder", target, {"reason": "late"}, "owner", key, 0)
        else:
            label = {"carrier": "Post", "tracking_number": "1"}
            self._send("ShipOrder", target, label, "all", key, None)

    @rule(2, n=range(100))
    def duplicate(self, n: int) -> None:
        """Send an earlier request unchanged."""
        self._check(self.sent[n % len(self.sent)])

    def close(self) -> None:
        """Compare every view and the topics too."""
        Agreement(self.tandem, self.model, self.dashboard, self.salt).check()

    def _one_of(self, aggregates: dict[str, Json], n: int) -> str:
        active = [id for id, fields in aggregates.items() if _is_active(fields)][-4:]
        if n < 9 and active:
            return active[n % len(active)]
        return (
            list(aggregates)[n % len(aggregates)] if n < 11 and aggregates else UNKNOWN_ID.format(n)
        )

    def _email(self, template: str | None) -> str | None:
        return template and template.format(self.salt)

    def _send(
        self,
        command: str,
        target: str | None,
        body: Json,
        by: str,
        key: str | None,
        version: int | None,
    ) -> None:
        sub, scopes = self._caller(by, target, body)
        if version is not None and target is not None:
            version = max(0, len(self.model.events.get(target, [])) + version)
        key = f"{key}{self.salt}" if key else None
        self._check(Request(command, target, body, sub, scopes, key, version))

    def _caller(self, by: str, target: str | None, body: Json) -> tuple[str, frozenset[str]]:
        owner = body.get("customer_id") or target or "unknown"
        if target in self.model.orders:
            owner = self.model.orders[target]["customer_id"]
        others = [id for id in self.model.users if id != owner]
        return {
            "all": (f"all {self.salt}", ALL_SCOPES),
            "owner": (owner, OWN_SCOPES),
            "other": (others[-1] if others else "other", OWN_SCOPES),
            "unscoped": (owner, frozenset[str]()),
            "products": (f"products {self.salt}", frozenset(["products:write"])),
        }[by]

    def _check(self, request: Request) -> None:
        real = self.tandem.send(request)
        body = real.json() if real.status_code in (200, 201) else {}
        expected = expected_response(self.model, request, body.get("id"))
        assert real.status_code == expected.status, (request, expected, real.text)
        if expected.problem is not None:
            name = real.json()["type"].rsplit("/", 1)[-1]
            assert name in expected.problem.split("|"), (request, expected, real.text)
        else:
            assert body == {"id": expected.id, "version": expected.version}, (request, expected)
        assert (real.headers.get("idempotent-replayed") == "true") == expected.replayed, request
        self.sent.append(request)
        if request.command == "EraseUser" and expected.status == 200 and not expected.replayed:
            self._await_anonymized(str(request.target), request.sub)

    def _await_anonymized(self, user: str, actor: str) -> None:
        deadline = time.monotonic() + 60
        for id in self.model.anonymize(user, actor):
            while self.tandem.get(f"/v1/orders/{id}")["version"] < self.model.version(id):
                assert time.monotonic() < deadline, "the order is not anonymized"
                time.sleep(0.02)


def _is_active(fields: Json) -> bool:
    """Its state can still change."""
    final = ("retired", "delivered", "cancelled")
    return not fields.get("erased") and fields.get("status") not in final
