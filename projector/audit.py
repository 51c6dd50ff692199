"""Compares the live views of a shard with the event log, slowly, and repairs aggregates."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from projector.fold import AggregateContent, fold_aggregate
from projector.inspection import MAX_BATCH, Finding, Inspection
from projector.metrics import Metrics
from projector.projection import Projection
from projector.refolding import Refolding
from projector.store import Store, WriteBatch
from projector.views.registry import Shapes
from projector.views.view import View
from shared.contracts.ids import parse_id
from shared.contracts.records import Record
from shared.contracts.views import (
    FIRST_GENERATION,
    Checkpoint,
    ParkedEntry,
    dashboard_key,
    decode_checkpoint,
    decode_parked,
    generation_key,
    parked_key,
)
from shared.event_log import PostgresEventLog

MAX_REPAIRS: Final = 100
_MAX_ATTEMPTS: Final = 10
"""Of one removal: each write of the projector to the shard in between makes it fail."""
_PAGE: Final = 1000


@dataclass(slots=True)
class AuditResult:
    """`part_differs`: the dashboard part is wrong, which only a rebuild corrects."""

    compared: int = 0
    findings: list[Finding] = field(default_factory=list)
    repaired: int = 0
    part_differs: bool = False


@dataclass(frozen=True, slots=True)
class _Part:
    """The parts of the views at one checkpoint, and the entries of the parked aggregates."""

    checkpoint: Checkpoint
    parts: list[Any]
    parked: dict[str, ParkedEntry]


@dataclass(frozen=True, slots=True)
class _SuperfluousKey:
    """A document or history item that no event accounts for."""

    id: str
    key: str

    def finding(self) -> Finding:
        return Finding(self.id, [f"{self.key.split(':')[1]}: superfluous"])

    def in_excess_of(self, content: AggregateContent) -> bool:
        return self.key not in content.values

    def removal(self, checkpoint: Checkpoint) -> WriteBatch:
        return WriteBatch(checkpoint, {self.key: None})


@dataclass(frozen=True, slots=True)
class _SuperfluousMember:
    """A list member that no event accounts for."""

    id: str
    list: str

    def finding(self) -> Finding:
        return Finding(self.id, [f"list {self.list.split(':')[1]}: superfluous"])

    def in_excess_of(self, content: AggregateContent) -> bool:
        return self.list not in content.lists | content.earlier_lists

    def removal(self, checkpoint: Checkpoint) -> WriteBatch:
        return WriteBatch(checkpoint, removed={self.list: [self.id]})


class Rate:
    """Limits the rows that are read per second."""

    def __init__(self, rows_per_second: float) -> None:
        self._rows_per_second = rows_per_second
        self._next = time.monotonic()

    async def wait(self, rows: int) -> None:
        """Waits for as long as reading these rows may take."""
        now = time.monotonic()
        self._next = max(self._next, now) + rows / self._rows_per_second
        await asyncio.sleep(self._next - now)


class Audit:
    """Audits one shard. Raises what the servers raise."""

    def __init__(
        self,
        shard: str,
        shapes: Shapes,
        store: Store,
        log: PostgresEventLog,
        metrics: Metrics,
        rate: Rate,
    ) -> None:
        self._shard = shard
        self._shapes = shapes
        self._store = store
        self._log = log
        self._rate = rate
        self._inspection = Inspection(shard, shapes, store, log, spare=False)
        self._projection = Projection(shard, shapes, store, metrics)
        self._refolding = Refolding(self._projection, log)

    async def run(
        self, *, repair: bool, report: Callable[[Finding], None] = lambda _: None
    ) -> AuditResult | None:
        """One pass over all aggregates. None if the shard has no readable views."""
        result = AuditResult()
        part = await self._read_part()
        if part is None:
            return None
        await self._audit_aggregates(part, result, repair, report)
        await self._audit_keys(result, repair, report)
        return result

    async def _read_part(self) -> _Part | None:
        generation = FIRST_GENERATION
        while True:
            checkpoint = await self._inspection.checkpoint()
            if checkpoint is None:
                return None
            generation = checkpoint.generation
            views = self._inspection.views(checkpoint)
            keys = [parked_key(self._shard)] + [
                view.key(dashboard_key(self._shard)) for view in views
            ]
            stored, (parked, *parts) = await self._store.load(
                self._shard, [generation_key(generation, key) for key in keys]
            )
            found = decode_checkpoint(stored)
            if found is None:
                return None
            if found.generation == generation:
                decoded = [
                    view.empty_part() if part is None else _decode(part)
                    for view, part in zip(views, parts, strict=True)
                ]
                return _Part(found, decoded, decode_parked(parked))

    async def _audit_aggregates(
        self,
        part: _Part,
        result: AuditResult,
        repair: bool,
        report: Callable[[Finding], None],
    ) -> None:
        """All aggregates that were created up to the position of the part."""
        views = self._inspection.views(part.checkpoint)
        sums = [view.empty_part() for view in views]
        types = [event.type for event in views[0].adds]
        after, upto = 0, part.checkpoint.position
        while page := await self._log.subjects(self._shard, after, upto, types, _PAGE):
            after = page[-1][0]
            ids = [id for _, id in page]
            for start in range(0, len(ids), MAX_BATCH):
                batch = ids[start : start + MAX_BATCH]
                rows = await self._log.read_subjects(self._shard, batch)
                await self._rate.wait(sum(map(len, rows.values())))
                self._add_parts(views, part, rows, sums)
                inspected = await self._inspection.inspect(batch)
                if inspected is None:
                    return
                result.compared += len(inspected.contents)
                for finding in inspected.findings:
                    await self._found(finding, result, repair, report)
        result.part_differs = sums != part.parts
        if result.part_differs:
            report(Finding("", ["dashboard"]))

    def _add_parts(
        self,
        views: Sequence[View],
        part: _Part,
        rows: dict[str, list[Record]],
        sums: list[Any],
    ) -> None:
        """Adds what the aggregates contribute to the parts at their position."""
        for id, own in rows.items():
            contained = [row for row in own if row.position <= part.checkpoint.position]
            entry = part.parked.get(id)
            first = entry.first_position if entry and entry.events else None
            content = fold_aggregate(views, self._shard, id, contained, first)
            for view, total, document in zip(views, sums, content.documents, strict=True):
                if document:
                    view.count(total, None, document)

    async def _found(
        self,
        finding: Finding,
        result: AuditResult,
        repair: bool,
        report: Callable[[Finding], None],
    ) -> None:
        result.findings.append(finding)
        report(finding)
        if repair and len(result.findings) <= MAX_REPAIRS:
            await self._refolding.refold(finding.id, rewrite=True)
            result.repaired += 1

    async def _audit_keys(
        self, result: AuditResult, repair: bool, report: Callable[[Finding], None]
    ) -> None:
        """Finds keys and list members that no event accounts for."""
        checkpoint = await self._inspection.checkpoint()
        if checkpoint is None:
            return
        prefix = generation_key(checkpoint.generation, f"{{{self._shard}}}:")
        async for page in self._store.scan(self._shard):
            own = [key for key in page if key.startswith(prefix) and not _is_other(key, prefix)]
            names = {f"{{{self._shard}}}:{key.removeprefix(prefix)}" for key in own}
            owned = {name: id for name in names if (id := _aggregate_of(name)) is not None}
            await self._audit_owned(owned, result, repair, report)
            for name in sorted(names - owned.keys()):
                if _is_list(name):
                    stored = generation_key(checkpoint.generation, name)
                    async for members in self._store.scan_members(self._shard, stored):
                        await self._audit_members(name, members, result, repair, report)

    async def _audit_owned(
        self,
        owned: dict[str, str],
        result: AuditResult,
        repair: bool,
        report: Callable[[Finding], None],
    ) -> None:
        """Documents and history items: key -> aggregate."""
        for start in range(0, len(owned), MAX_BATCH):
            batch = dict(list(owned.items())[start : start + MAX_BATCH])
            contents, state = await self._possible(sorted(set(batch.values())))
            for key, id in batch.items():
                found = _SuperfluousKey(id, key)
                if state is not None and found.in_excess_of(contents[id]):
                    await self._superfluous(found, result, repair, report)

    async def _audit_members(
        self,
        name: str,
        members: Sequence[str],
        result: AuditResult,
        repair: bool,
        report: Callable[[Finding], None],
    ) -> None:
        for start in range(0, len(members), MAX_BATCH):
            contents, state = await self._possible(members[start : start + MAX_BATCH])
            for id, content in contents.items():
                found = _SuperfluousMember(id, name)
                if state is not None and found.in_excess_of(content):
                    await self._superfluous(found, result, repair, report)

    async def _superfluous(
        self,
        superfluous: _SuperfluousKey | _SuperfluousMember,
        result: AuditResult,
        repair: bool,
        report: Callable[[Finding], None],
    ) -> None:
        finding = superfluous.finding()
        result.findings.append(finding)
        report(finding)
        if repair and len(result.findings) <= MAX_REPAIRS:
            result.repaired += await self._remove(superfluous)

    async def _remove(self, superfluous: _SuperfluousKey | _SuperfluousMember) -> bool:
        """Whether it is gone. Reads the state for each attempt: the projector writes as well."""
        for _ in range(_MAX_ATTEMPTS):
            contents, state = await self._possible([superfluous.id])
            if state is None:
                return False
            if not superfluous.in_excess_of(contents[superfluous.id]):
                return True
            stored, checkpoint = state
            if await self._projection.write(stored, superfluous.removal(checkpoint), mark=True):
                return True
        return False

    async def _possible(
        self, ids: Sequence[str]
    ) -> tuple[dict[str, AggregateContent], tuple[bytes, Checkpoint] | None]:
        """All keys and lists that the aggregates had or may have, and the checkpoint before."""
        stored = await self._projection.checkpoint()
        checkpoint = decode_checkpoint(stored)
        if checkpoint is None:
            return {}, None
        valid = [id for id in ids if _is_id(id)]
        rows = await self._log.read_subjects(self._shard, valid)
        await self._rate.wait(sum(map(len, rows.values())))
        views = self._inspection.views(checkpoint)
        contents = {
            id: fold_aggregate(views, self._shard, id, rows.get(id, []), None) for id in ids
        }
        nothing = {id for id in ids if not rows.get(id)}
        return (
            {
                id: content._replace(values={}) if id in nothing else content
                for id, content in contents.items()
            },
            (stored, checkpoint),
        )


def _decode(part: bytes) -> Any:
    try:
        return orjson.loads(part)
    except ValueError:
        return None


def _is_id(id: str) -> bool:
    return parse_id(id) == id


def _is_other(key: str, prefix: str) -> bool:
    """Whether the key belongs to the shard itself or to another generation."""
    rest = key.removeprefix(prefix)
    head = rest.partition(":")[0]
    own = ("checkpoint", "spare", "sweep", "owner", "head")
    return rest in own or (head.startswith("g") and head[1:].isalnum() and len(head) >= 7)


def _aggregate_of(name: str) -> str | None:
    """The aggregate of a document or history item."""
    parts = name.partition("}:")[2].split(":")
    if parts[0] == "view":
        parts = parts[2:]
    return parts[1] if parts[0] in ("document", "history") and len(parts) > 1 else None


def _is_list(name: str) -> bool:
    rest = name.partition("}:")[2]
    last = rest.split(":", 2)[-1] if rest.startswith("view:") else rest
    return last.partition(":")[0] in ("ids", "status", "payment", "customer", "prefix")
