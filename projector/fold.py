"""Folds a batch of a shard's records into its changes. Pure: equal input gives equal writes.

All or nothing: if an exception is raised, nothing is written, and the caller decides how to go on.
"""

from collections.abc import Sequence

import orjson

from projector.history import History, encode_item, slice_item
from projector.store import ShardState, ViewState, WriteBatch
from projector.views.view import CannotFold, Document, View
from shared.contracts.events import Event
from shared.contracts.records import Record
from shared.contracts.upcasting import upcast
from shared.contracts.views import (
    Checkpoint,
    dashboard_key,
    document_key,
    pack_document,
    parked_key,
)


class UnknownType(CannotFold):
    """An event type that this version does not know."""


def fold(
    views: Sequence[View],
    state: ShardState,
    records: Sequence[Record],
    offset: int,
    *,
    trusted: bool,
) -> WriteBatch:
    """The changes that `records`, which follow the state's checkpoint without a gap, lead to.

    `views` are the topic's, the primary one first; `offset` is that of the new checkpoint. In
    `trusted` records, which come from the event log, an unknown type is of a newer version and is
    skipped; from elsewhere it may be forged and raises UnknownType. An invalid event raises
    CannotFold, ValidationError or what a view raises.
    """
    batch = _Batch(views, records[-1].shard, state)
    for record in records:
        batch.apply(record, trusted)
    return batch.writes(_advance(state, records[-1], offset))


def park(views: Sequence[View], state: ShardState, record: Record, offset: int) -> WriteBatch:
    """Parks a poison event. Later events of its aggregate will be parked as well."""
    batch = _Batch(views, record.shard, state)
    batch.park(record)
    return batch.writes(_advance(state, record, offset))


def _advance(state: ShardState, last: Record, offset: int) -> Checkpoint:
    """The checkpoint after `last`, without a target once it is reached."""
    target = state.checkpoint.target if state.checkpoint else 0
    return Checkpoint(last.position, offset, last.event_id, target if last.position < target else 0)


class _Batch:
    """A shard while a batch is folded: what its views share."""

    def __init__(self, views: Sequence[View], shard: str, state: ShardState) -> None:
        self._events = views[0].events
        self._upcasts = views[0].upcasts
        self._shard = shard
        folds = [_ViewFold(view, shard, of) for view, of in zip(views, state.views, strict=True)]
        self._primary, *self._others = folds
        self._history = History(views[0], shard, state.personal_items)
        self._parked: dict[str, list[int]] = orjson.loads(state.parked or b"{}")
        self._parks = False

    def apply(self, record: Record, trusted: bool) -> None:
        if record.subject in self._parked:
            self.park(record)
            return
        model = self._events.get(record.type)
        if model is not None:
            self._project(record, model)
        elif not trusted:
            raise UnknownType(record.type)

    def park(self, record: Record) -> None:
        self._parked.setdefault(record.subject, [record.position, 0])[1] += 1
        self._parks = True

    def _project(self, record: Record, model: type[Event]) -> None:
        event, item = self._decode(record, model)
        if event.id != record.subject:
            raise CannotFold("the event's id is not the record's subject")
        document = self._primary.project(event, record)
        for view in self._others:
            view.project(event, record)
        if document is None:
            self._history.delete(event)
        else:
            self._history.add(event, item)

    def _decode(self, record: Record, model: type[Event]) -> tuple[Event, bytes]:
        """The event and its history item, which is usually sliced from the record's bytes."""
        # Without the checks of options that `model_validate` takes: a tenth of the fold's time.
        validator = model.__pydantic_validator__
        if record.type not in self._upcasts:
            event: Event = validator.validate_json(record.data)
            item = slice_item(record, event.version)
            if item is not None:
                return event, item
        data = upcast(record.type, orjson.loads(record.data), self._upcasts)
        event = validator.validate_python(data)
        return event, encode_item(record, event.version, data)

    def writes(self, checkpoint: Checkpoint) -> WriteBatch:
        writes = WriteBatch(checkpoint, self._history.values)
        for view in (self._primary, *self._others):
            view.add_to(writes)
        if self._parks:
            writes.values[parked_key(self._shard)] = orjson.dumps(self._parked)
        return writes


class _ViewFold:
    """One view of the shard while a batch is folded."""

    def __init__(self, view: View, shard: str, state: ViewState) -> None:
        self._view = view
        self._shard = shard
        self._before = state
        self._documents = dict(state.documents)
        self._positions: dict[str, int] = {}
        self._part = view.empty_part() if state.part is None else orjson.loads(state.part)

    def project(self, event: Event, record: Record) -> Document | None:
        """The document after the event."""
        before = self._documents[event.id]
        if event.version != (1 if before is None else before["version"] + 1):
            raise CannotFold("the version is not the next one")
        after: Document | None = self._view.project(before, event, record.time)
        self._view.count(self._part, before, after)
        self._documents[event.id] = after
        self._positions[event.id] = record.position
        return after

    def add_to(self, writes: WriteBatch) -> None:
        for id, position in self._positions.items():
            self._add_document(writes, id, position)
        if self._positions or self._before.part is None:
            key = self._view.key(dashboard_key(self._shard))
            writes.values[key] = orjson.dumps(self._part)

    def _add_document(self, writes: WriteBatch, id: str, position: int) -> None:
        before, after = self._before.documents[id], self._documents[id]
        stored = None
        if after is not None:
            body = orjson.dumps(after)
            stored = pack_document(after["version"], position, self._view.owner(after), body)
        writes.values[self._view.key(document_key(self._shard, id))] = stored
        self._add_lists(writes, id, before, after)

    def _add_lists(
        self, writes: WriteBatch, id: str, before: Document | None, after: Document | None
    ) -> None:
        if before and after and all(before.get(f) == after.get(f) for f in self._view.listed_by):
            return
        old = set() if before is None else set(self._view.lists(self._shard, before))
        new = set() if after is None else set(self._view.lists(self._shard, after))
        for key in new - old:
            writes.added.setdefault(self._view.key(key), []).append(id)
        for key in old - new:
            writes.removed.setdefault(self._view.key(key), []).append(id)
