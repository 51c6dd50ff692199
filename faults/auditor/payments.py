"""Each order is paid at most once, refunded at most once, and cancelled if it is not paid in time.

Computed from the event log and the clients' responses, without the code of the services.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from faults.evidence import Evidence
from shared.contracts.records import Record

_ACTOR: Final = "tandem:payment-deadline"
_REASON: Final = "payment overdue"
_AT_MOST_ONCE: Final = ("order.paid", "order.refunded", "order.cancelled", "order.shipped")
_ACKNOWLEDGED: Final = {"PayOrder": "order.paid", "RefundOrder": "order.refunded"}


def settled_once(evidence: Evidence) -> list[str]:
    orders = {
        subject: _Order(evidence, records)
        for subject, records in evidence.by_subject.items()
        if records[0].type == "order.placed"
    }
    found = [f"{id}: {line}" for id, order in orders.items() for line in _violations(order)]
    return [
        *found,
        *_acknowledged(evidence, orders),
        *_documents(evidence, orders),
        *_stock(evidence, orders),
    ]


class _Order:
    """The events of an order by type, and the status of its payment that follows from them."""

    def __init__(self, evidence: Evidence, records: list[Record]) -> None:
        self.evidence = evidence
        self.counts = Counter(record.type for record in records)
        self.last = {record.type: record for record in records}
        self.placed: dict[str, Any] = evidence.data(records[0])
        due_at = self.placed.get("payment_due_at")
        self.due_at = None if due_at is None else datetime.fromisoformat(due_at)

    @property
    def status(self) -> str:
        if "order.refunded" in self.last:
            return "refunded"
        cancelled = "order.cancelled" in self.last
        if "order.paid" in self.last:
            return "refund_due" if cancelled else "paid"
        if self.due_at is None:
            return "none"
        return "overdue" if cancelled else "due"

    def time(self, type: str) -> datetime:
        return datetime.fromisoformat(self.last[type].time)


def _violations(order: _Order) -> Iterator[str]:
    for type in _AT_MOST_ONCE:
        if order.counts[type] > 1:
            yield f"{order.counts[type]} events {type}"
    cancelled, paid = order.last.get("order.cancelled"), "order.paid" in order.last
    if "order.refunded" in order.last and not (paid and cancelled):
        yield "refunded, but not paid and cancelled"
    if "order.shipped" in order.last and order.due_at is not None and not paid:
        yield "shipped unpaid, although it has a payment deadline"
    if cancelled is not None and cancelled.actor == _ACTOR:
        yield from _cancelled_by_tandem(order, cancelled, paid)
    if order.due_at is not None:
        yield from _settled_too_late(order, order.due_at)


def _cancelled_by_tandem(order: _Order, cancelled: Record, paid: bool) -> Iterator[str]:
    if paid:
        yield "paid, but cancelled as overdue"
    if order.evidence.data(cancelled)["reason"] not in (_REASON, None):  # None: erased
        yield f"cancelled by {_ACTOR} with another reason"
    if order.due_at is None:
        yield "cancelled as overdue without a payment deadline"
    elif order.time("order.cancelled") < order.due_at:
        yield f"cancelled at {cancelled.time}, before it was due at {order.due_at}"


def _settled_too_late(order: _Order, due_at: datetime) -> Iterator[str]:
    """By a payment or a cancellation; if there is neither, the payment is due until the audit."""
    evidence = order.evidence
    times = [order.time(type) for type in ("order.paid", "order.cancelled") if type in order.last]
    delay = min(times, default=evidence.audited_at) - max(due_at, evidence.fault_ended_at)
    if delay.total_seconds() > evidence.limits.max_deadline_delay_s:
        state = "paid or cancelled" if times else "neither paid nor cancelled"
        yield f"{state} {delay.total_seconds():.1f} s after {due_at} or the end of the fault"


def _acknowledged(evidence: Evidence, orders: dict[str, _Order]) -> Iterator[str]:
    """Every acknowledged payment and refund has the reference of the order's only event."""
    for caller, operation in evidence.commands.items():
        accepted = operation.accepted
        if accepted is None or accepted.name not in _ACKNOWLEDGED or accepted.id not in orders:
            continue
        event = orders[accepted.id].last.get(_ACKNOWLEDGED[accepted.name])
        stored = None if event is None else evidence.data(event)["reference"]
        if stored != accepted.request["reference"]:
            yield (
                f"{caller} {accepted.name} of {accepted.id} was acknowledged with the reference "
                f"{accepted.request['reference']!r}, the event log has {stored!r}"
            )


def _documents(evidence: Evidence, orders: dict[str, _Order]) -> Iterator[str]:
    for read in evidence.final:
        if read.name == "GetOrderSummary" and read.status == 200 and read.id in orders:
            status, expected = read.response["payment"]["status"], orders[read.id].status
            if status != expected:
                yield f"{read.id}: the payment is {status} in the document, not {expected}"


def _stock(evidence: Evidence, orders: dict[str, _Order]) -> Iterator[str]:
    """Stock is what was added, less what orders that are not cancelled have."""
    stock: Counter[str] = Counter()
    for record in evidence.records:
        if record.type == "product.added":
            stock[record.subject] += evidence.data(record)["stock"]
        elif record.type == "product.restocked":
            stock[record.subject] += evidence.data(record)["quantity"]
    for order in orders.values():
        if "order.cancelled" not in order.last:
            for item in order.placed["items"]:
                stock[item["product_id"]] -= item["quantity"]
    for id, expected in stock.items():
        row = evidence.rows.get(id)
        if row is not None and row.stock != expected:
            yield f"{id}: the row has a stock of {row.stock}, initial less sold is {expected}"
