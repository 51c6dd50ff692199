"""Every acknowledged command is in the event log exactly once, every rejected one not at all."""

from collections import Counter
from typing import Final

from command_service.processes.registry import PROCESSES
from faults.evidence import Evidence
from faults.history import Attempt, Operation
from shared.contracts.records import Record
from shared.contracts.tokens import format_token

MAIN_EVENTS: Final = {
    "CreateUser": "user.created",
    "UpdateUserName": "user.renamed",
    "UpdateUserEmail": "user.email_changed",
    "EraseUser": "user.erased",
    "AddProduct": "product.added",
    "UpdateProductPrice": "product.price_changed",
    "RestockProduct": "product.restocked",
    "RetireProduct": "product.retired",
    "PlaceOrder": "order.placed",
    "ShipOrder": "order.shipped",
    "DeliverOrder": "order.delivered",
    "CancelOrder": "order.cancelled",
    "PayOrder": "order.paid",
    "RefundOrder": "order.refunded",
}
"""The event of each command that has its caller and the version of its response."""
_MAY_HAVE_NO_EVENT: Final = (
    *("UpdateUserName", "UpdateUserEmail", "UpdateProductPrice"),
    *("PayOrder", "RefundOrder"),
)
_STOCK_EVENTS: Final = {"PlaceOrder": "product.reserved", "CancelOrder": "product.released"}
_PROCESSES: Final = {process.actor for process in PROCESSES.values()}
UNRECORDED: Final = "unrecorded-"
"""Prefix of callers of a nemesis, whose commands are not in the history."""
_SECONDARY_EVENTS: Final = ("order.anonymized", *_STOCK_EVENTS.values())


def each_command_once(evidence: Evidence) -> list[str]:
    found: list[str] = []
    for caller, operation in evidence.commands.items():
        events = [e for e in evidence.by_actor.get(caller, []) if e.type not in _SECONDARY_EVENTS]
        found += [f"{caller} {line}" for line in _check_command(evidence, operation, events)]
    unexpected = (
        evidence.by_actor.keys()
        - evidence.commands.keys()
        - evidence.void_callers
        - _PROCESSES
        - {None}
    )
    found += [
        f"an event of {actor}, who sent no command"
        for actor in sorted(map(str, unexpected))
        if not actor.startswith(UNRECORDED)
    ]
    return found


def every_outcome_known(evidence: Evidence) -> list[str]:
    """After 503, a lost connection or no response, retries determine the outcome."""
    return [
        f"{caller} {operation.first.name}: unknown after {len(operation.attempts)} attempts"
        for caller, operation in evidence.commands.items()
        if not operation.decided
    ]


def _check_command(evidence: Evidence, operation: Operation, events: list[Record]) -> list[str]:
    name, accepted = operation.first.name, operation.accepted
    types = [event.type for event in events]
    if accepted is None:
        if operation.decided and events:
            return [f"{name} was rejected, but the event log has {types}"]
        return [f"{name} is in the event log {len(types)} times"] if len(types) > 1 else []
    if not events and name in _MAY_HAVE_NO_EVENT:
        return []
    if types != [MAIN_EVENTS[name]]:
        return [f"{name} was acknowledged, but the event log has {types or 'no event'}"]
    return _check_response(evidence, accepted, events[0])


def _check_response(evidence: Evidence, accepted: Attempt, event: Record) -> list[str]:
    found: list[str] = []
    version = evidence.version(event)
    if (event.subject, version) != (accepted.id, accepted.version):
        found.append(
            f"{accepted.name} has the response {accepted.id} version {accepted.version}, "
            f"the event log has {event.subject} version {version}"
        )
    stock_events = _stock_events(evidence, accepted, event)
    positions: dict[str, int] = {}
    for each in (event, *stock_events):
        positions[each.shard] = max(positions.get(each.shard, 0), each.position)
    if accepted.response_token != format_token(positions):
        found.append(
            f"the token of {accepted.name} is {accepted.response_token}, "
            f"its events are at {format_token(positions)}"
        )
    if accepted.name == "PlaceOrder":
        expected = Counter({i["product_id"]: i["quantity"] for i in accepted.request["items"]})
        reserved = Counter({e.subject: evidence.data(e)["quantity"] for e in stock_events})
        if expected != reserved or len(stock_events) != len(expected):
            found.append(f"PlaceOrder reserved {dict(reserved)} instead of {dict(expected)}")
    return found


def _stock_events(evidence: Evidence, accepted: Attempt, event: Record) -> list[Record]:
    type = _STOCK_EVENTS.get(accepted.name)
    return [] if type is None else evidence.stock_events.get((type, event.subject), [])
