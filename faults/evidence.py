"""All that the auditor judges: the history, and what the three servers hold at the end."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from faults.history import Attempt, Operation, operations
from faults.limits import Limits
from shared.contracts.records import Record
from tests.support.expected_views import Content


@dataclass(frozen=True, slots=True)
class Row:
    """An aggregate as the write store has it."""

    version: int
    stock: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """A process's resident memory at a moment."""

    at: float
    process: str
    rss_mb: float


@dataclass
class Evidence:
    """`earlier` is what was judged before in the same world, `final` are the reads after everything
    was level, `seconds` how long that took (None: it never was). `log`, `topics` (in offset
    order) and `views` are by shard.
    """

    attempts: list[Attempt]
    log: dict[str, list[Record]]
    topics: dict[str, list[Record]]
    views: dict[str, Content]
    state: dict[str, Row]
    limits: Limits
    earlier: list[Attempt] = field(default_factory=list)
    final: list[Attempt] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    seconds: float | None = 0.0
    void: frozenset[str] = frozenset()
    """Callers whose history was lost on purpose: what became of their commands nobody knows."""
    ended: list[str] = field(default_factory=list)
    """Processes that ended by themselves."""

    @cached_property
    def commands(self) -> dict[str, Operation]:
        return operations([*self.earlier, *self.attempts])

    @cached_property
    def records(self) -> list[Record]:
        """The whole log, shard after shard, each in order."""
        return [record for shard in sorted(self.log) for record in self.log[shard]]

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
    def of_orders(self) -> dict[tuple[str, str], list[Record]]:
        """What orders did to the stock, by the event's type and the order's id."""
        found: dict[tuple[str, str], list[Record]] = {}
        for record in self.records:
            if record.type in ("product.reserved", "product.released"):
                order = self.data(record)["order_id"]
                found.setdefault((record.type, order), []).append(record)
        return found

    def data(self, record: Record) -> Any:
        """The event's value. Its personal fields may be null by now."""
        if record.data not in self._decoded:
            self._decoded[record.data] = json.loads(record.data)
        return self._decoded[record.data]

    @cached_property
    def _decoded(self) -> dict[bytes, Any]:
        return {}

    def version(self, record: Record) -> int:
        return int(self.data(record)["version"])
