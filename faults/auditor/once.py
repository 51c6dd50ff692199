"""Every acknowledged command is in the log exactly once, every other one not at all."""

from collections import Counter
from typing import Final

from faults.evidence import Evidence
from faults.history import Attempt, Operation
from shared.contracts.records import Record
from shared.contracts.tokens import format_token

MAIN: Final = {
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
}
"""The event of each command that carries its caller and its answer's version."""
_MAY_CHANGE_NOTHING: Final = ("UpdateUserName", "UpdateUserEmail", "UpdateProductPrice")
_SIDE: Final = {"PlaceOrder": "product.reserved", "CancelOrder": "product.released"}
GONE: Final = "gone-"
"""Callers that never wait for their answers begin so: what became of them nobody knows."""
_FOLLOWS: Final = ("order.anonymized", *_SIDE.values())


def each_command_once(evidence: Evidence) -> list[str]:
    found: list[str] = []
    for caller, operation in evidence.commands.items():
        events = [e for e in evidence.by_actor.get(caller, []) if e.type not in _FOLLOWS]
        found += [f"{caller} {line}" for line in _of_one(evidence, operation, events)]
    unasked = evidence.by_actor.keys() - evidence.commands.keys() - evidence.void - {None}
    found += [
        f"an event of {actor}, who sent no command"
        for actor in sorted(map(str, unasked))
        if not actor.startswith(GONE)
    ]
    return found


def every_outcome_known(evidence: Evidence) -> list[str]:
    """Also after 503, a lost connection or no answer at all: asked again, it is known."""
    return [
        f"{caller} {operation.first.name}: not known after {len(operation.attempts)} attempts"
        for caller, operation in evidence.commands.items()
        if not operation.decided
    ]


def _of_one(evidence: Evidence, operation: Operation, events: list[Record]) -> list[str]:
    name, accepted = operation.first.name, operation.accepted
    types = [event.type for event in events]
    if accepted is None:
        if operation.decided and events:
            return [f"{name} was refused, and stands in the log: {types}"]
        return [f"{name} stands {len(types)} times in the log"] if len(types) > 1 else []
    if not events and name in _MAY_CHANGE_NOTHING:
        return []
    if types != [MAIN[name]]:
        return [f"{name} was acknowledged, and the log has {types or 'nothing'} of it"]
    return _as_answered(evidence, accepted, events[0])


def _as_answered(evidence: Evidence, accepted: Attempt, event: Record) -> list[str]:
    found: list[str] = []
    version = evidence.version(event)
    if (event.subject, version) != (accepted.id, accepted.version):
        found.append(
            f"{accepted.name} was answered {accepted.id} version {accepted.version}, "
            f"the log has {event.subject} version {version}"
        )
    side = _side_events(evidence, accepted, event)
    positions: dict[str, int] = {}
    for each in (event, *side):
        positions[each.shard] = max(positions.get(each.shard, 0), each.position)
    if accepted.answer_token != format_token(positions):
        found.append(
            f"{accepted.name}'s token is {accepted.answer_token}, "
            f"its events are at {format_token(positions)}"
        )
    if accepted.name == "PlaceOrder":
        wanted = Counter({i["product_id"]: i["quantity"] for i in accepted.request["items"]})
        taken = Counter({e.subject: evidence.data(e)["quantity"] for e in side})
        if wanted != taken or len(side) != len(wanted):
            found.append(f"PlaceOrder took {dict(taken)} from the stock instead of {dict(wanted)}")
    return found


def _side_events(evidence: Evidence, accepted: Attempt, event: Record) -> list[Record]:
    type = _SIDE.get(accepted.name)
    return [] if type is None else evidence.of_orders.get((type, event.subject), [])
