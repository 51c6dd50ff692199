"""Handwritten evidence of a small run without defects, for the tests of the auditor."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from faults.evidence import AggregateRow, Evidence, MemorySample
from faults.history import Attempt
from faults.limits import Limits
from shared.contracts.events import EVENTS, personal_fields
from shared.contracts.ids import new_id
from shared.contracts.records import Record
from shared.contracts.shards import DEFAULT_PARTITIONS, Topic, shard_of
from shared.contracts.tokens import format_token
from tests.support.expected_views import expected_content

USER, OTHER = new_id(1, 1, 0x5), new_id(1, 2, 0x6)
PRODUCT = new_id(2, 3, 0x7)
ORDER = new_id(3, 4, 0x5)
REFUNDED, OVERDUE = new_id(3, 5, 0x5), new_id(3, 6, 0x5)
PRICE = {"amount": 250, "currency": "EUR"}
_PLACED = {
    "customer_id": USER,
    "customer_name": "Ada",
    "items": [{"product_id": PRODUCT, "name": "Tea", "quantity": 3, "unit_price": PRICE}],
    "total": {"amount": 750, "currency": "EUR"},
    "shipping_address": "1 Main Street",
}


def clean() -> Evidence:
    """Two users, one of them renamed, a product, and a shipped order of three of it."""
    log = _log()
    stock = {"order_id": ORDER, "quantity": 3, "stock": 7}
    _append(log, "users", "a", USER, "user.created", name="Ada", email="ada@example.com")
    _append(log, "users", "b", OTHER, "user.created", name="Bob", email="bob@example.com")
    _append(log, "users", "c", USER, "user.renamed", name="Ada Lovelace")
    _append(
        log, "products", "d", PRODUCT, "product.added",
        name="Tea", description="loose", price=PRICE, stock=10,
    )  # fmt: skip
    _append(log, "orders", "e", ORDER, "order.placed", **_PLACED)
    _append(log, "products", None, PRODUCT, "product.reserved", **stock)
    _append(log, "orders", "f", ORDER, "order.shipped", carrier="DHL", tracking_number="f")
    lines = {"customer_id": USER, "items": [{"product_id": PRODUCT, "quantity": 3}]}
    attempts = [
        _command(log, "CreateUser", "a", USER, 1),
        _command(log, "CreateUser", "b", OTHER, 1),
        _command(log, "UpdateUserName", "c", USER, 2),
        _command(log, "AddProduct", "d", PRODUCT, 1),
        replace(_unknown("PlaceOrder", "e"), request=lines),
        replace(_command(log, "PlaceOrder", "e", ORDER, 1), request=lines),
        _command(log, "ShipOrder", "f", ORDER, 2),
        replace(_command(log, "ShipOrder", "f", ORDER, 2), replayed=True),
        _rejected("DeliverOrder", "g", 409, "order-state"),
        _read("GetUserById", f"/v1/users/{USER}", USER, token_of(log, "users", USER, 2), 2),
        _list(log),
    ]
    return Evidence(
        attempts=attempts,
        event_log=log,
        topics={shard: [*records[:1], *records] for shard, records in log.items()},
        views={shard: expected_content(shard, records) for shard, records in log.items()},
        rows={
            USER: AggregateRow(2),
            OTHER: AggregateRow(1),
            PRODUCT: AggregateRow(2, 7),
            ORDER: AggregateRow(2),
        },
        limits=Limits(),
        samples=[MemorySample(1.0, "relay", 80.0)],
        recovery_s=3.0,
    )


def token_of(log: dict[str, list[Record]], topic: Topic, id: str, version: int) -> str:
    """The token that covers this version of the aggregate."""
    shard = shard_of(topic, id, DEFAULT_PARTITIONS)
    of_it = [record for record in log[shard] if record.subject == id]
    return format_token({shard: of_it[version - 1].position})


def changed(record: Record, **data: Any) -> Record:
    """The same event with changed data."""
    return record._replace(data=json.dumps({**json.loads(record.data), **data}).encode())


def erase(evidence: Evidence) -> None:
    """Erase the user with the order, completely."""
    create = evidence.attempts[0]
    request = {"name": "Ada", "email": "ada@example.com"}
    evidence.attempts[0] = replace(create, path="/v1/users", request=request)
    log = evidence.event_log
    _append(log, "users", "h", USER, "user.erased")
    _append(log, "orders", "h", ORDER, "order.anonymized")
    for shard, records in log.items():
        log[shard] = [_anonymized(r) if r.subject in (USER, ORDER) else r for r in records]
        evidence.views[shard] = expected_content(shard, log[shard])


def pay(evidence: Evidence) -> None:
    """Add an order that was paid, cancelled and refunded, and one that was not paid in time."""
    log = evidence.event_log
    for id in (REFUNDED, OVERDUE):
        due_at = "2026-01-01T00:00:14.500Z"
        _append(log, "orders", None, id, "order.placed", **_PLACED, payment_due_at=due_at)
        reserved = {"order_id": id, "quantity": 3, "stock": 4}
        _append(log, "products", None, PRODUCT, "product.reserved", **reserved)
        actor, reason = "tandem:payment-deadline", "payment overdue"
        if id == REFUNDED:
            _append(log, "orders", "p", id, "order.paid", reference="p-1")
            actor, reason = "c", "changed my mind"
        _append(log, "orders", actor, id, "order.cancelled", reason=reason)
        released = {"order_id": id, "quantity": 3, "stock": 7}
        _append(log, "products", None, PRODUCT, "product.released", **released)
    _append(log, "orders", "r", REFUNDED, "order.refunded", reference="r-1")
    evidence.rows[PRODUCT] = AggregateRow(6, 7)
    evidence.fault_ended_at = datetime(2026, 1, 1, tzinfo=UTC)
    evidence.audited_at = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
    evidence.attempts += [
        replace(_command(log, "PayOrder", "p", REFUNDED, 2), request={"reference": "p-1"}),
        _command(log, "CancelOrder", "c", REFUNDED, 3),
        replace(_command(log, "RefundOrder", "r", REFUNDED, 4), request={"reference": "r-1"}),
    ]
    for id, version, status in ((REFUNDED, 4, "refunded"), (OVERDUE, 2, "overdue")):
        read = _read("GetOrderSummary", f"/v1/orders/{id}", id, "", version)
        response = {"id": id, "version": version, "payment": {"status": status}}
        evidence.final.append(replace(read, response=response))


def _anonymized(record: Record) -> Record:
    return changed(record, **dict.fromkeys(personal_fields(EVENTS[record.type])))


def _log() -> dict[str, list[Record]]:
    aggregates: tuple[tuple[Topic, str], ...] = (
        ("users", USER), ("users", OTHER), ("products", PRODUCT), ("orders", ORDER)
    )  # fmt: skip
    return {shard_of(topic, id, DEFAULT_PARTITIONS): [] for topic, id in aggregates}


def _append(
    log: dict[str, list[Record]], topic: Topic, actor: str | None, id: str, type: str, **data: Any
) -> None:
    shard = shard_of(topic, id, DEFAULT_PARTITIONS)
    version = 1 + sum(record.subject == id for record in log[shard])
    position, number = len(log[shard]) + 1, sum(map(len, log.values())) + 1
    value = json.dumps({"id": id, "version": version, **data}).encode()
    time = f"2026-01-01T00:00:{number:02}.000Z"
    event_id = new_id(9, number, 0)
    log[shard].append(Record(shard, position, event_id, type, id, actor, time, None, value))


def _command(
    log: dict[str, list[Record]], name: str, caller: str, id: str, version: int
) -> Attempt:
    events = [r for records in log.values() for r in records if r.actor == caller]
    if name == "PlaceOrder":
        events += [r for records in log.values() for r in records if r.type == "product.reserved"]
    token = format_token({event.shard: event.position for event in events})
    return replace(
        _unknown(name, caller), status=200, id=id, version=version, response_token=token, error=None
    )


def _unknown(name: str, caller: str) -> Attempt:
    return Attempt(
        at=1, duration_s=0.1, side="commands", name=name, caller=caller, method="POST",
        path="/v1/x", key=caller, status=503, problem="unavailable", retry_after="1",
    )  # fmt: skip


def _rejected(name: str, caller: str, status: int, problem: str) -> Attempt:
    return replace(_unknown(name, caller), status=status, problem=problem, retry_after=None)


def _read(name: str, path: str, id: str, token: str, version: int) -> Attempt:
    return Attempt(
        at=2, duration_s=0.1, side="reads", name=name, caller="reader", method="GET",
        path=path, id=id, token=token, status=200, version=version, response_token=token,
        response={"id": id, "version": version},
    )  # fmt: skip


def _list(log: dict[str, list[Record]]) -> Attempt:
    token = token_of(log, "orders", ORDER, 2)
    read = _read("GetCustomerOrders", f"/v1/users/{USER}/orders", USER, token, 0)
    return replace(read, response={"list": [[ORDER, 2]], "owners": [USER], "next": False})
