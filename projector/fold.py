"""Folds a batch of a shard's records into what it changes. Pure: the same input, the same writes.

All or nothing: whatever raises, nothing is written, and the caller decides what to do about it.
"""

from collections.abc import Sequence

import orjson

from projector.history import history_item, item_of_bytes, without_personal_data
from projector.loaded import FIRST_VERSION, ShardState
from projector.views.view import CannotFold, Document, View
from projector.writes import WriteBatch
from shared.contracts.events import Event
from shared.contracts.records import Record
from shared.contracts.upcasting import upcast
from shared.contracts.views import (
    Checkpoint,
    dashboard_key,
    document_key,
    history_key,
    pack_document,
    parked_key,
)


class UnknownType(CannotFold):
    """An event type that this version does not know."""


def fold(
    view: View, loaded: ShardState, records: Sequence[Record], offset: int, *, trusted: bool
) -> WriteBatch:
    """What `records`, which follow the loaded checkpoint without a hole, change.

    `offset` is the new checkpoint's. Records that come from the log are `trusted`: there, an
    unknown type is from a newer version and is passed over; elsewhere it may be anybody's and
    raises. Raises whatever a broken or impossible event leads to.
    """
    batch = _Batch(view, records[-1].shard, loaded)
    for record in records:
        batch.take(record, trusted)
    return batch.writes(advanced(loaded, records[-1], offset))


def park(view: View, loaded: ShardState, record: Record, offset: int) -> WriteBatch:
    """Sets the record, which cannot be folded, aside; its aggregate's followers will be as well."""
    batch = _Batch(view, record.shard, loaded)
    batch.park(record)
    return batch.writes(advanced(loaded, record, offset))


def advanced(loaded: ShardState, last: Record, offset: int) -> Checkpoint:
    """The checkpoint after `last`. Once it is reached, the target is forgotten."""
    target = loaded.checkpoint.target if loaded.checkpoint else 0
    return Checkpoint(last.position, offset, last.event_id, target if last.position < target else 0)


class _Batch:
    """The state of the shard's views while a batch is folded."""

    def __init__(self, view: View, shard: str, loaded: ShardState) -> None:
        self._view = view
        self._shard = shard
        self._loaded = loaded
        self._documents: dict[str, Document | None] = dict(loaded.documents)
        self._positions: dict[str, int] = {}
        self._part = view.empty_part() if loaded.part is None else orjson.loads(loaded.part)
        self._parked: dict[str, list[int]] = orjson.loads(loaded.parked or b"{}")
        self._parks = False
        self._values: dict[str, bytes | None] = {}

    def take(self, record: Record, trusted: bool) -> None:
        if record.subject in self._parked:
            self.park(record)
            return
        model = self._view.events.get(record.type)
        if model is not None:
            self._project(record, model)
        elif not trusted:
            raise UnknownType(record.type)

    def park(self, record: Record) -> None:
        self._parked.setdefault(record.subject, [record.position, 0])[1] += 1
        self._parks = True

    def _project(self, record: Record, model: type[Event]) -> None:
        event, item = self._read(record, model)
        before = self._documents[record.subject]
        if event.id != record.subject:
            raise CannotFold("the record's subject is another one")
        if event.version != (1 if before is None else before["version"] + 1):
            raise CannotFold("the version is not the next one")
        after = self._view.project(before, event, record.time)
        self._view.count(self._part, before, after)
        self._documents[record.subject] = after
        self._positions[record.subject] = record.position
        self._remember(event, item, gone=after is None)

    def _read(self, record: Record, model: type[Event]) -> tuple[Event, bytes]:
        """The event, and its history item: of most, the bytes as they came."""
        # Without the checks of options that `model_validate` takes: a tenth of the fold's time.
        validator = model.__pydantic_validator__
        if record.type not in self._view.upcasts:
            event: Event = validator.validate_json(record.data)
            item = item_of_bytes(record, event.version)
            if item is not None:
                return event, item
        data = upcast(record.type, orjson.loads(record.data), self._view.upcasts)
        event = validator.validate_python(data)
        return event, history_item(record, event.version, data)

    def _remember(self, event: Event, item: bytes, *, gone: bool) -> None:
        """The aggregate's history: one item more, or none at all where it is gone."""
        if gone:
            for version in range(FIRST_VERSION, event.version):
                self._values[history_key(self._shard, event.id, version)] = None
            return
        key = history_key(self._shard, event.id, event.version)
        self._values[key] = item
        if self._view.anonymizes is type(event):
            self._anonymize(event.id)

    def _anonymize(self, id: str) -> None:
        key = history_key(self._shard, id, FIRST_VERSION)
        item = self._values.get(key) or self._loaded.first_items[id]
        if item is not None:
            self._values[key] = without_personal_data(self._view, item)

    def writes(self, checkpoint: Checkpoint) -> WriteBatch:
        writes = WriteBatch(checkpoint, self._values)
        for id, position in self._positions.items():
            self._write_document(writes, id, position)
        if self._positions or self._loaded.part is None:
            writes.values[dashboard_key(self._shard)] = orjson.dumps(self._part)
        if self._parks:
            writes.values[parked_key(self._shard)] = orjson.dumps(self._parked)
        return writes

    def _write_document(self, writes: WriteBatch, id: str, position: int) -> None:
        before, after = self._loaded.documents[id], self._documents[id]
        stored = None
        if after is not None:
            body = orjson.dumps(after)
            stored = pack_document(after["version"], position, self._view.owner(after), body)
        writes.values[document_key(self._shard, id)] = stored
        self._write_lists(writes, id, before, after)

    def _write_lists(
        self, writes: WriteBatch, id: str, before: Document | None, after: Document | None
    ) -> None:
        if before and after and all(before.get(f) == after.get(f) for f in self._view.listed_by):
            return
        was = set() if before is None else set(self._view.lists(self._shard, before))
        stands = set() if after is None else set(self._view.lists(self._shard, after))
        for key in stands - was:
            writes.added.setdefault(key, []).append(id)
        for key in was - stands:
            writes.removed.setdefault(key, []).append(id)
