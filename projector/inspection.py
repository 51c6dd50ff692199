"""Compares views with the fold of the event log, aggregate by aggregate."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import orjson

from projector.fold import AggregateContent, fold_aggregate
from projector.store import Store
from projector.views.registry import Shapes, views_of_shape
from projector.views.view import View
from shared.contracts.records import Record
from shared.contracts.views import (
    Checkpoint,
    body_of,
    checkpoint_key,
    decode_checkpoint,
    decode_parked,
    decode_spare,
    generation_key,
    parked_key,
    spare_key,
)
from shared.event_log import PostgresEventLog

MAX_BATCH: Final = 100
_MAX_ATTEMPTS: Final = 50


class Finding(NamedTuple):
    """What differs in the views of an aggregate, in words without values."""

    id: str
    differences: list[str]


class Inspected(NamedTuple):
    """`contents` are those that the views should have; of aggregates that were judged."""

    checkpoint: Checkpoint
    contents: dict[str, AggregateContent]
    findings: list[Finding]


class Inspection:
    """Of one generation of a shard: the live one, or the spare."""

    def __init__(
        self, shard: str, shapes: Shapes, store: Store, log: PostgresEventLog, *, spare: bool
    ) -> None:
        self._shard = shard
        self._shapes = shapes
        self._store = store
        self._log = log
        self._spare = spare
        self._compared = spare_key(shard) if spare else checkpoint_key(shard)

    async def checkpoint(self) -> Checkpoint | None:
        _, (stored,) = await self._store.load(self._shard, [self._compared])
        return self._decode(stored)

    def views(self, checkpoint: Checkpoint) -> Sequence[View]:
        return views_of_shape(self._shard, self._shapes, checkpoint.shape)

    async def inspect(self, ids: Sequence[str]) -> Inspected | None:
        """Compares these aggregates. None if there is no such generation.

        An aggregate that is erased by an event that the views do not contain yet is not judged.
        Raises TimeoutError if the checkpoint moves all the time.
        """
        checkpoint = await self.checkpoint()
        if checkpoint is None:
            return None
        rows = await self._log.read_subjects(self._shard, ids)
        last = max((of[-1].position for of in rows.values() if of), default=0)
        for _ in range(_MAX_ATTEMPTS):
            views = self.views(checkpoint)
            # Lists and history items of any state that the rows lead to.
            likely = {id: fold_aggregate(views, self._shard, id, rows[id], None) for id in ids}
            keys = sorted({key for content in likely.values() for key in content.values})
            members = [
                (key, id)
                for id, content in likely.items()
                for key in sorted(content.lists | content.earlier_lists)
            ]
            name = checkpoint.generation
            reading = await self._store.read(
                self._shard,
                self._compared,
                [generation_key(name, key) for key in (parked_key(self._shard), *keys)],
                [(generation_key(name, key), id) for key, id in members],
            )
            if reading is None:
                continue
            found = self._decode(reading.stored)
            if found is None:
                return None
            if found.generation != name:
                checkpoint = found
                continue
            newer = await self._log.read_subjects(self._shard, ids, after=last)
            added = [row for of in newer.values() for row in of if row.position <= found.position]
            if added:  # its keys were not read
                for row in added:
                    rows[row.subject].append(row)
                last = max(row.position for row in added)
                continue
            parked = decode_parked(reading.values[0])
            values = dict(zip(keys, reading.values[1:], strict=True))
            listed = {
                pair for pair, is_member in zip(members, reading.members, strict=True) if is_member
            }
            inspected = Inspected(found, {}, [])
            for id in ids:
                own = [*rows[id], *newer[id]]
                if any(_erases(views[0], row) for row in own if row.position > found.position):
                    continue
                entry = parked.get(id)
                if entry is not None and entry.events == 0:
                    continue  # known to be damaged
                own = [row for row in own if row.position <= found.position]
                first = entry.first_position if entry else None
                content = fold_aggregate(views, self._shard, id, own, first)
                inspected.contents[id] = content
                lists = {key for key, member in listed if member == id}
                candidates = {key for key, member in members if member == id}
                differences = _differences(content, values, lists, candidates)
                if content.parked != (entry.events if entry else 0):
                    differences.append("parked events")
                if differences:
                    inspected.findings.append(Finding(id, differences))
            return inspected
        raise TimeoutError(f"the checkpoint of {self._shard} moves all the time")

    def _decode(self, stored: bytes | None) -> Checkpoint | None:
        if not self._spare:
            return decode_checkpoint(stored)
        spare = decode_spare(stored)
        return spare.checkpoint if spare else None


def _erases(view: View, row: Record) -> bool:
    types = {event.type for event in (view.erases, view.anonymizes) if event is not None}
    return row.type in types


def _differences(
    content: AggregateContent,
    values: Mapping[str, bytes | None],
    lists: set[str],
    candidates: set[str],
) -> list[str]:
    """What differs, of the keys in `values` and the lists in `candidates`."""
    found = []
    for key, expected in content.values.items():
        actual = values.get(key)
        if actual != expected:
            found.append(_describe(key, expected, actual))
    found += [
        f"history item: {_kind(key)} is superfluous"
        for key, actual in values.items()
        if actual is not None and key not in content.values and _is_of(key, content)
    ]
    for key in sorted(content.lists & candidates - lists):
        found.append(f"list {_kind(key)}: missing")
    for key in sorted(lists - content.lists):
        found.append(f"list {_kind(key)}: superfluous")
    return found


def _is_of(key: str, content: AggregateContent) -> bool:
    """Whether a history key belongs to the aggregate of the content."""
    documents = [name for name in content.values if ":document:" in name]
    id = documents[0].rpartition(":")[2]
    return f":history:{id}:" in key


def _describe(key: str, expected: bytes | None, actual: bytes | None) -> str:
    kind = _kind(key)
    if actual is None:
        return f"{kind}: missing"
    if expected is None:
        return f"{kind}: superfluous"
    fields = _different_fields(expected, actual)
    return f"{kind}: {', '.join(fields)}" if fields else f"{kind}: different bytes"


def _different_fields(expected: bytes, actual: bytes) -> list[str]:
    """The names of the JSON fields that differ."""
    try:
        pair = [orjson.loads(body_of(value) or value) for value in (expected, actual)]
    except ValueError:
        return ["unreadable"]
    left, right = pair
    if not isinstance(left, dict) or not isinstance(right, dict):
        return []
    return sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))


def _kind(key: str) -> str:
    """The key without its shard, and without the id of the aggregate."""
    rest = key.partition("}:")[2]
    kind, _, more = rest.partition(":")
    if kind == "document":
        return "document"
    if kind == "history":
        return f"history {more.rpartition(':')[2]}"
    if kind in ("customer", "prefix"):
        return kind
    return rest
