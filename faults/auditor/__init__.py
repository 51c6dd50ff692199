"""The judge: each property is a pure function from the evidence to findings; none: it held."""

from collections.abc import Callable, Mapping
from typing import Final

from faults.auditor import (
    answers,
    logs,
    memory,
    once,
    partitions,
    reads,
    recovery,
    replays,
    stock,
    views,
)
from faults.evidence import Evidence

Judge = Callable[[Evidence], list[str]]

PROPERTIES: Final[Mapping[str, Judge]] = {
    "once": once.each_command_once,
    "known": once.every_outcome_known,
    "replays": replays.identical,
    "log": logs.dense_and_as_the_state,
    "stock": stock.never_oversold,
    "partitions": partitions.complete_in_order,
    "views": views.equal_the_fold,
    "tokens": reads.never_before_their_token,
    "owners": reads.nobody_elses_bytes,
    "answers": answers.only_what_the_fault_allows,
    "memory": memory.bounded,
    "recovery": recovery.level_in_time,
}
"""By the name that the table has for it."""


def judge(evidence: Evidence) -> dict[str, list[str]]:
    """The findings of each property."""
    return {name: judge(evidence) for name, judge in PROPERTIES.items()}
