"""The auditor: each property is a pure function that returns the violations in the evidence."""

from collections.abc import Callable, Mapping
from typing import Final

from faults.auditor import (
    erasure,
    event_log,
    idempotency,
    memory,
    once,
    payments,
    reads,
    recovery,
    responses,
    stock,
    topics,
    views,
)
from faults.evidence import Evidence

Check = Callable[[Evidence], list[str]]

PROPERTIES: Final[Mapping[str, Check]] = {
    "once": once.each_command_once,
    "outcomes": once.every_outcome_known,
    "idempotency": idempotency.identical_responses,
    "event-log": event_log.complete_and_consistent,
    "stock": stock.never_oversold,
    "payments": payments.settled_once,
    "topics": topics.complete_and_ordered,
    "views": views.equal_to_fold,
    "tokens": reads.never_stale,
    "owners": reads.only_own_documents,
    "erasure": erasure.no_personal_values,
    "responses": responses.only_permitted,
    "memory": memory.bounded,
    "recovery": recovery.recovered_in_time,
}
"""By the name of the column in the table."""


def judge(evidence: Evidence) -> dict[str, list[str]]:
    """The findings of each property; none: it held."""
    return {name: check(evidence) for name, check in PROPERTIES.items()}
