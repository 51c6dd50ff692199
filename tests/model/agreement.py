"""Compares every view and the topics with the model."""

from collections import defaultdict
from typing import Any

from tests.contract.topics import RawRecord
from tests.model.model import PERSONAL_FIELDS, Model
from tests.model.tandem import Tandem

Json = dict[str, Any]
AT = {"order.shipped": "shipped_at", "order.delivered": "delivered_at"}
AT |= {"order.cancelled": "cancelled_at"}
PAYMENT_AT = {"order.paid": "paid_at", "order.refunded": "refunded_at"}


class Agreement:
    """`before` is the dashboard before the first command; `salt` is a word in the products."""

    def __init__(self, tandem: Tandem, model: Model, before: Json, salt: str) -> None:
        self._tandem, self._model, self._before, self._salt = tandem, model, before, salt
        self._times: dict[str, list[tuple[str, str]]] = {}

    def check(self) -> None:
        for id in self._model.events:
            self._check_history(id)
        documents = {id: self._expected_document(id) for id in self._model.events}
        for id, expected in documents.items():
            assert self._tandem.get(f"/v1/{self._kind(id)}/{id}") == expected, id
        self._check_lists({id: d for id, d in documents.items() if d is not None})
        self._check_dashboard(documents)
        self._check_topics()

    def _kind(self, id: str) -> str:
        return self._model.events[id][0][0].split(".")[0] + "s"

    def _check_history(self, id: str) -> None:
        path = f"/v1/{self._kind(id)}/{id}/history"
        if self._model.users.get(id, {}).get("erased"):
            assert self._tandem.get(path) is None
            return
        items = self._tandem.walk(path, 3)
        found = [(item["type"], item["by"], item["data"]) for item in items]
        assert found == self._model.events[id], id
        assert [item["version"] for item in items] == list(range(1, len(items) + 1))
        self._times[id] = [(item["type"], item["at"]) for item in items]

    def _expected_document(self, id: str) -> Json | None:
        if self._model.users.get(id, {}).get("erased"):
            return None
        times = self._times[id]
        common = {"id": id, "version": len(times), "updated_at": times[-1][1]}
        if id in self._model.orders:
            return {**self._expected_order(id), **common}
        fields = self._model.users.get(id) or self._model.products[id]
        document = {name: fields[name] for name in fields if name != "erased"}
        return {**document, **common, "created_at": times[0][1]}

    def _expected_order(self, id: str) -> Json:
        order = self._model.orders[id]
        items = []
        for line in order["items"]:
            price = line["unit_price"]
            subtotal = {**price, "amount": price["amount"] * line["quantity"]}
            items.append({**line, "subtotal": subtotal})
        times: Json = dict.fromkeys(AT.values())
        times |= {AT[type]: at for type, at in self._times[id] if type in AT}
        times["placed_at"] = self._times[id][0][1]
        payment = dict(order["payment"])
        for type, at in self._times[id]:
            if type in PAYMENT_AT:
                payment[PAYMENT_AT[type]] = at
        document = {**order, "payment": payment, "items": items, "item_count": len(items)}
        return document | times

    def _check_lists(self, documents: Json) -> None:
        oldest = min(self._model.events)
        for kind in ("users", "products", "orders"):
            expected = [d for id, d in documents.items() if self._kind(id) == kind]
            if kind == "products":
                expected = [d for d in expected if d["status"] == "active"]
                self._compare(expected, f"/v1/products?q={self._salt[:8]}", 4, "")
            self._compare(expected, f"/v1/{kind}", 100, oldest)
        orders = [documents[id] for id in self._model.orders]
        for status in ("placed", "shipped", "delivered", "cancelled"):
            expected = [order for order in orders if order["status"] == status]
            self._compare(expected, f"/v1/orders?status={status}", 50, oldest)
        for status in ("none", "paid", "refund_due", "refunded"):
            expected = [order for order in orders if order["payment"]["status"] == status]
            self._compare(expected, f"/v1/orders?payment={status}", 50, oldest)
        for user in (id for id in self._model.users if id in documents):
            expected = [order for order in orders if order["customer_id"] == user]
            self._compare(expected, f"/v1/users/{user}/orders", 2, "")

    def _compare(self, expected: list[Json], path: str, limit: int, oldest: str) -> None:
        found = self._tandem.walk(path, limit, oldest)
        ids = [item["id"] for item in found]
        assert ids == sorted(set(ids), reverse=True), path
        own = [item for item in found if item["id"] in self._model.events]
        assert own == sorted(expected, key=lambda d: str(d["id"]), reverse=True), path

    def _check_dashboard(self, documents: Json) -> None:
        now, before = self._tandem.get("/v1/dashboard"), self._before
        model = self._model
        active = [p for p in model.products.values() if p["status"] == "active"]
        users = [user for user in model.users.values() if not user["erased"]]
        assert now["users"] - before["users"] == len(users)
        assert now["products"] - before["products"] == len(active)
        sold_out = [product for product in active if product["stock"] == 0]
        assert now["sold_out"] - before["sold_out"] == len(sold_out)
        statuses = [order["status"] for order in model.orders.values()]
        for status in ("placed", "shipped", "delivered", "cancelled"):
            assert now["orders"][status] - before["orders"][status] == statuses.count(status)
        assert now["orders"]["total"] - before["orders"]["total"] == len(statuses)
        revenue, days = _revenue(before), _days(before)
        for id, order in model.orders.items():
            if order["status"] != "cancelled":
                total, date = order["total"], documents[id]["placed_at"][:10]
                revenue[total["currency"], "amount"] += total["amount"]
                revenue[total["currency"], "orders"] += 1
                days[date, "orders"] += 1
                days[date, total["currency"]] += total["amount"]
        assert _revenue(now) == revenue
        # A currency whose orders are all free equals a currency without orders.
        assert {k: v for k, v in _days(now).items() if v} == {k: v for k, v in days.items() if v}
        for entry in now["revenue"]:
            half_up = (2 * entry["amount"] + entry["orders"]) // (2 * entry["orders"])
            assert entry["average"] == half_up

    def _check_topics(self) -> None:
        counts = {id: len(events) for id, events in self._model.events.items()}

        def published(found: dict[str, list[RawRecord]]) -> bool:
            return all(len(found.get(id, [])) >= count for id, count in counts.items())

        found = self._tandem.events(published)
        for id, events in self._model.events.items():
            assert len(found[id]) == len(events)
            for version, (record, event) in enumerate(zip(found[id], events, strict=True), 1):
                _compare_event(id, version, record, event)


def _compare_event(
    id: str, version: int, record: RawRecord, event: tuple[str, str | None, Json]
) -> None:
    type, actor, data = event
    assert (record.type, record.header("ce_actor")) == (type, actor)
    expected = {"id": id, "version": version, **data}
    for name, value in record.value.items():
        personal = name in {"name", "email", *PERSONAL_FIELDS}
        # Published before the erasure, it still has the values that the model has erased.
        assert value == expected[name] or (personal and None in (value, expected[name])), record
    assert set(record.value) == set(expected)


def _revenue(dashboard: Json) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = defaultdict(int)
    for entry in dashboard["revenue"]:
        for name in ("amount", "orders"):
            found[entry["currency"], name] = entry[name]
    return found


def _days(dashboard: Json) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = defaultdict(int)
    for day in dashboard["by_day"]:
        found[day["date"], "orders"] = day["orders"]
        for entry in day["revenue"]:
            found[day["date"], entry["currency"]] = entry["amount"]
    return found
