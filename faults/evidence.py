"""The input of the auditor: the history, and the data of the three servers at the end."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from faults.history import Attempt, Operation, operations
from faults.limits import Limits
from shared.contracts.records import Record
from tests.support.expected_views import Content

_MIN_TIME: Final = datetime.min.replace(tzinfo=UTC)
_MAX_TIME: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AggregateRow:
    """The version, and the stock of a product, in the write store."""

    version: int
    stock: int | None = None


@dataclass(frozen=True, slots=True)
class MemorySample:
    """The resident memory of a process; `at` is in seconds since the start of the system."""

    at: float
    process: str
    rss_mb: float


@dataclass
class Evidence:
    """`earlier` are the attempts of earlier scenarios in the same system, `final` the reads after
    the recovery, which took `recovery_s` (None: the system did not recover). `event_log`, `topics`
    (in offset order) and `views` are by shard, `rows` by aggregate id.
    """

    attempts: list[Attempt]
    event_log: dict[str, list[Record]]
    topics: dict[str, list[Record]]
    views: dict[str, Content]
    rows: dict[str, AggregateRow]
    limits: Limits
    earlier: list[Attempt] = field(default_factory=list)
    final: list[Attempt] = field(default_factory=list)
    texts: dict[str, bytes] = field(default_factory=dict)
    """The rows of each table of the write store, and the log output of each process."""
    samples: list[MemorySample] = field(default_factory=list)
    recovery_s: float | None = 0.0
    fault_ended_at: datetime = _MAX_TIME
    audited_at: datetime = _MIN_TIME
    """By PostgreSQL's clock, like the times of events."""
    void_callers: frozenset[str] = frozenset()
    """Callers of commands whose outcome is undefined, because the scenario lost their history."""
    unexpected_exits: list[str] = field(default_factory=list)
    """Processes that ended without being stopped."""

    @cached_property
    def commands(self) -> dict[str, Operation]:
        return operations([*self.earlier, *self.attempts])

    @cached_property
    def records(self) -> list[Record]:
        """All events, shard after shard, each in order."""
        return [record for shard in sorted(self.event_log) for record in self.event_log[shard]]

    @cached_property
    def by_actor(self) -> dict[str | None, list[Record]]:
        found: dict[str | None, list[Record]] = {}
        for record in self.records:
            found.setdefault(record.actor, []).append(record)
        return found

    @cached_property
    def by_subject(self) -> dict[str, list[Record]]:
        found: dict[str, list[Record]] = {}
        for record in self.records:
            found.setdefault(record.subject, []).append(record)
        return found

    @cached_property
    def stock_events(self) -> dict[tuple[str, str], list[Record]]:
        """Stock reservations and releases by event type and order id."""
        found: dict[tuple[str, str], list[Record]] = {}
        for record in self.records:
            if record.type in ("product.reserved", "product.released"):
                order = self.data(record)["order_id"]
                found.setdefault((record.type, order), []).append(record)
        return found

    def data(self, record: Record) -> Any:
        """The event's payload."""
        if record.data not in self._decoded:
            self._decoded[record.data] = json.loads(record.data)
        return self._decoded[record.data]

    @cached_property
    def _decoded(self) -> dict[bytes, Any]:
        return {}

    def version(self, record: Record) -> int:
        return int(self.data(record)["version"])
