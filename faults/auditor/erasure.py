"""After the recovery no personal value of an erased user is stored in Tandem.

The topics are not checked: a record that was published before the erasure keeps its values until
retention deletes it.
"""

import re
from collections.abc import Iterator

from faults.evidence import Evidence
from faults.history import Attempt
from shared.contracts.events import EVENTS, OrderPlaced, UserErased, personal_fields

_PERSONAL_FIELDS = ("name", "email", "shipping_address")


def no_personal_values(evidence: Evidence) -> list[str]:
    erased = {record.subject for record in evidence.records if record.type == UserErased.type}
    return [*_event_fields(evidence, erased), *_stored_values(evidence, erased)]


def _event_fields(evidence: Evidence, erased: set[str]) -> Iterator[str]:
    """The personal fields in the events of erased users and of their orders must be null."""
    orders = {
        record.subject
        for record in evidence.records
        if record.type == OrderPlaced.type and evidence.data(record)["customer_id"] in erased
    }
    for subject in sorted(erased | orders):
        for record in evidence.by_subject[subject]:
            for field in personal_fields(EVENTS[record.type]):
                if evidence.data(record).get(field) is not None:
                    place = f"{record.shard} position {record.position}"
                    yield f"{place}: {field} of {record.type} is not null"


def _stored_values(evidence: Evidence, erased: set[str]) -> Iterator[str]:
    """No value of a command for an erased user may be in a table, a view or a process log."""
    texts = {f"views of {s}": b"\n".join(c.values.values()) for s, c in evidence.views.items()}
    texts |= evidence.texts
    attempts = [a for operation in evidence.commands.values() for a in operation.attempts]
    values = {value for attempt in attempts for value in _personal_values(attempt)}
    for user, value in sorted(values):
        if user in erased:
            for place, text in texts.items():
                if _contains(text, value.encode()):
                    yield f"{place}: {value!r} of the erased user {user}"


def _personal_values(attempt: Attempt) -> Iterator[tuple[str, str]]:
    """Pairs of the user and a personal value in the request."""
    kind, _, rest = attempt.path.removeprefix("/v1/").partition("/")
    request = attempt.request or {}
    user = request.get("customer_id") if kind == "orders" else rest.partition("/")[0] or attempt.id
    if user is not None and kind in ("users", "orders"):
        for field in _PERSONAL_FIELDS:
            if field in request:
                yield user, request[field]


def _contains(text: bytes, value: bytes) -> bool:
    """Whether it contains the complete value, which may be a prefix of another value."""
    pattern = rb"(?<![\w-])" + re.escape(value) + rb"(?![\w-])"
    return value in text and re.search(pattern, text) is not None
