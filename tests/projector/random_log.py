"""Random event logs of a shard that a real shop could have written."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from shared.contracts.events import EVENTS, personal_fields
from shared.contracts.ids import new_id
from shared.contracts.records import Record
from shared.contracts.shards import split_shard
from shared.contracts.times import format_time

WORDS = [
    "Crème",
    "brûlée",
    "chair",
    "Chairs",
    "ergonomic",
    "x2",
    "naïve",
    "straße",
    "blue",
    "ワイン",
]
CURRENCIES = ["EUR", "USD", "JPY"]
State = dict[str, Any]


class RandomLog:
    """An endless event log of one shard; `next` returns the next record."""

    def __init__(self, shard: str, seed: int, partitions: int = 12, first: int = 1) -> None:
        self.shard = shard
        self.topic, self._partition = split_shard(shard)
        self._partitions = partitions
        self._random = random.Random(f"{seed} {shard}")
        self._now = datetime(2026, 3, 1, tzinfo=UTC)
        self._alive: list[State] = []
        self._position = first - 1

    def take(self, count: int) -> list[Record]:
        return [self.next() for _ in range(count)]

    def reseed(self, seed: int) -> None:
        """Continue with other events, as after PostgreSQL was restored to this position."""
        self._random = random.Random(f"{seed} {self.shard}")

    def next(self) -> Record:
        self._now += timedelta(seconds=self._random.choice([0.004, 30, 7200, 90_000]))
        if not self._alive or self._random.random() < 0.35:
            state: State = {"id": self._id(), "version": 0}
            self._alive.append(state)
        else:
            state = self._random.choice(self._alive)
        type, fields = _NEXT[self.topic](self, state)
        state["version"] += 1
        if type in ("user.erased", "product.retired", "order.anonymized"):
            self._alive.remove(state)
        return self._record(type, state, fields)

    def _id(self) -> str:
        placement = self._partition + self._partitions * self._random.randrange(300)
        return new_id(int(self._now.timestamp() * 1000), self._random.getrandbits(62), placement)

    def _record(self, type: str, state: State, fields: dict[str, Any]) -> Record:
        self._position += 1
        skewed = self._now + timedelta(seconds=self._random.choice([0, 0, 0, -40, -90_000]))
        return Record(
            shard=self.shard,
            position=self._position,
            event_id=new_id(int(self._now.timestamp() * 1000), self._random.getrandbits(62), 0),
            type=type,
            subject=state["id"],
            actor=self._random.choice([None, "other", state["id"]]),
            time=format_time(skewed),
            traceparent=None,
            data=orjson.dumps({"id": state["id"], "version": state["version"], **fields}),
        )

    def user(self, state: State) -> tuple[str, dict[str, Any]]:
        if state["version"] == 0:
            return "user.created", {"name": self.text(2), "email": f"{self.text(1)}@example.org"}
        kind = self._random.choice(["user.renamed", "user.email_changed", "user.erased"])
        personal = {"user.renamed": "name", "user.email_changed": "email"}.get(kind)
        return kind, {personal: self.text(2)} if personal else {}

    def product(self, state: State) -> tuple[str, dict[str, Any]]:
        draw, stock = self._random, state.get("stock", 0)
        if state["version"] == 0:
            state["stock"] = draw.randrange(4)
            text = {"name": self.text(2), "description": self.text(draw.randrange(8))}
            return "product.added", {**text, "price": self.money(), "stock": state["stock"]}
        kind = draw.choice(["price_changed", "restocked", "reserved", "released"] * 3 + ["retired"])
        if kind == "price_changed":
            return "product.price_changed", {"price": self.money()}
        if kind == "retired":
            return "product.retired", {}
        quantity = draw.randint(1, 2)
        state["stock"] = max(0, stock - quantity) if kind == "reserved" else stock + quantity
        order = {} if kind == "restocked" else {"order_id": self._id()}
        return f"product.{kind}", {**order, "quantity": quantity, "stock": state["stock"]}

    def order(self, state: State) -> tuple[str, dict[str, Any]]:
        status = state.get("status")
        if status is None:
            return self._placed(state)
        if self._random.random() < 0.15:
            return "order.anonymized", {}
        if status == "placed" and self._random.random() < 0.4:
            state["status"] = "cancelled"
            return "order.cancelled", {"reason": self.text(3)}
        if status == "placed":
            state["status"] = "shipped"
            return "order.shipped", {"carrier": self.text(1), "tracking_number": self.text(1)}
        if status == "shipped":
            state["status"] = "delivered"
            return "order.delivered", {}
        return "order.anonymized", {}

    def _placed(self, state: State) -> tuple[str, dict[str, Any]]:
        state["status"] = "placed"
        currency = self._random.choice(CURRENCIES)
        lines: list[dict[str, Any]] = [
            {
                "product_id": self._id(),
                "name": self.text(2),
                "quantity": self._random.randint(1, 5),
                "unit_price": {"amount": self._random.randrange(5000), "currency": currency},
            }
            for _ in range(self._random.choice([1, 1, 2, 3]))
        ]
        total = sum(line["quantity"] * line["unit_price"]["amount"] for line in lines)
        known = self._random.random() < 0.9
        return "order.placed", {
            "customer_id": self._id() if self._random.random() < 0.5 else self._customer(),
            "customer_name": self.text(2) if known else None,
            "items": lines,
            "total": {"amount": total, "currency": currency},
            "shipping_address": self.text(4) if known else None,
        }

    def _customer(self) -> str:
        return new_id(1, self._random.randrange(3), self._partition)

    def text(self, words: int) -> str:
        return " ".join(self._random.choice(WORDS) for _ in range(words))

    def money(self) -> dict[str, Any]:
        return {"amount": self._random.randrange(9999), "currency": self._random.choice(CURRENCIES)}


_NEXT: dict[str, Callable[[RandomLog, State], tuple[str, dict[str, Any]]]] = {
    "users": RandomLog.user,
    "products": RandomLog.product,
    "orders": RandomLog.order,
}


def erased(record: Record) -> Record:
    """The record as the event log contains it after its customer was erased."""
    data = orjson.loads(record.data) | dict.fromkeys(personal_fields(EVENTS[record.type]))
    return Record(
        record.shard, record.position, record.event_id, record.type, record.subject,
        record.actor, record.time, record.traceparent, orjson.dumps(data),
    )  # fmt: skip
