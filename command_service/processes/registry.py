"""Every process of Tandem. A new one is a file beside this one and a line below."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from command_service.domain.shop import Shop
from command_service.processes import payment_deadline
from command_service.processes.process import Process

_ALL: Final = (
    payment_deadline.PROCESS,
)  # fmt: skip
PROCESSES: Final[Mapping[str, Process]] = {process.name: process for process in _ALL}


def set_deadlines(shop: Shop, changed: set[str]) -> Iterator[tuple[str, str, int, datetime]]:
    """Process, aggregate, its version and deadline, for each changed aggregate that has one."""
    for process, aggregate in _with_deadlines(shop, changed):
        due_at = process.deadline(aggregate)
        if due_at is not None:
            yield process.name, aggregate.id, aggregate.version, due_at


def removed_deadlines(shop: Shop, changed: set[str]) -> Iterator[tuple[str, str]]:
    """Process and aggregate, for each changed aggregate whose deadline has ended."""
    for process, aggregate in _with_deadlines(shop, changed):
        if process.deadline(aggregate) is None:
            yield process.name, aggregate.id


def _with_deadlines(shop: Shop, changed: set[str]) -> Iterator[tuple[Process, Any]]:
    for process in PROCESSES.values():
        aggregates: Mapping[str, Any] = getattr(shop, process.topic)
        for id in changed & aggregates.keys():
            if process.has_deadlines(aggregates[id]):
                yield process, aggregates[id]
