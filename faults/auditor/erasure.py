"""After the recovery no personal value of an erased user is stored in Tandem.

The topics are not checked: a record that was published before the erasure keeps its values until
retention deletes it.
"""

import re
from collections.abc import Iterator

from faults.evidence import Evidence
from faults.history import Attempt
from shared.contracts.events import EVENTS, OrderPlaced, UserErased, personal_fields

_UNIQUE_FIELDS = ("name", "email", "shipping_address", "tracking_number", "reason")
"""Personal fields of requests with unique values."""


def no_personal_values(evidence: Evidence) -> list[str]:
    erased = {record.subject for record in evidence.records if record.type == UserErased.type}
    return [*_event_fields(evidence, erased), *_stored_values(evidence, erased)]


def _event_fields(evidence: Evidence, erased: set[str]) -> Iterator[str]:
    """The personal fields in the events of erased users and of their orders must be null."""
    orders = [order for order, customer in _customers(evidence).items() if customer in erased]
    for subject in sorted([*erased, *orders]):
        for record in evidence.by_subject[subject]:
            for field in personal_fields(EVENTS[record.type]):
                if evidence.data(record).get(field) is not None:
                    place = f"{record.shard} position {record.position}"
                    yield f"{place}: {field} of {record.type} is not null"


def _stored_values(evidence: Evidence, erased: set[str]) -> Iterator[str]:
    """No value of a command for an erased user may be in a table, a view or a process log."""
    texts = {f"views of {s}": b"\n".join(c.values.values()) for s, c in evidence.views.items()}
    texts |= evidence.texts
    customers = _customers(evidence)
    attempts = [a for operation in evidence.commands.values() for a in operation.attempts]
    values = {value for attempt in attempts for value in _personal_values(attempt, customers)}
    for user, value in sorted(values):
        if user in erased:
            for place, text in texts.items():
                if _contains(text, value.encode()):
                    yield f"{place}: {value!r} of the erased user {user}"


def _customers(evidence: Evidence) -> dict[str, str]:
    """The customer of each order."""
    placed = (record for record in evidence.records if record.type == OrderPlaced.type)
    return {record.subject: evidence.data(record)["customer_id"] for record in placed}


def _personal_values(attempt: Attempt, customers: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Pairs of the user and a personal value in the request."""
    kind, _, rest = attempt.path.removeprefix("/v1/").partition("/")
    id = rest.partition("/")[0] or attempt.id
    request = attempt.request or {}
    user = {"users": id, "orders": request.get("customer_id") or customers.get(id or "")}.get(kind)
    if user is not None:
        for field in _UNIQUE_FIELDS:
            if field in request:
                yield user, request[field]


def _contains(text: bytes, value: bytes) -> bool:
    """Whether it contains the complete value, which may be a prefix of another value."""
    pattern = rb"(?<![\w-])" + re.escape(value) + rb"(?![\w-])"
    return value in text and re.search(pattern, text) is not None
