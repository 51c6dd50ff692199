"""Folds a batch of a shard's records into its changes. Pure: equal input gives equal writes.

All or nothing: if an exception is raised, nothing is written, and the caller decides how to go on.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

import orjson

from projector.history import History, encode_item, slice_item
from projector.store import (
    ANONYMIZED_VERSIONS,
    DAMAGED,
    FIRST_VERSION,
    ShardState,
    ViewState,
    WriteBatch,
)
from projector.views.view import CannotFold, Document, View
from shared.contracts.dashboard_parts import decode_part, encode_part
from shared.contracts.events import Event
from shared.contracts.records import Record
from shared.contracts.upcasting import upcast
from shared.contracts.views import (
    Checkpoint,
    ParkedEntry,
    dashboard_key,
    document_key,
    encode_parked,
    history_key,
    pack_document,
    parked_key,
)

MAX_PARKED: Final = 1000
"""Aggregates per shard: every batch loads the map of parked entries."""
MAX_REFOLDED_ROWS: Final = 1000
_NO_ITEMS: Final[list[bytes | None]] = [None] * len(ANONYMIZED_VERSIONS)
_START: Final = Checkpoint(0, -1, "")


class UnknownType(CannotFold):
    """An event type that this version does not know."""


class DamagedDocument(CannotFold):
    """The document `id` before an event is missing or unreadable."""

    def __init__(self, id: str) -> None:
        super().__init__("the document before the event is missing or unreadable")
        self.id = id


class TooManyParked(Exception):
    """A shard's map of parked entries is full."""


def fold(
    views: Sequence[View], state: ShardState, records: Sequence[Record], offset: int
) -> WriteBatch:
    """The changes that `records`, which follow the state's checkpoint without a gap, lead to.

    `views` are the topic's, the primary one first; `offset` is that of the new checkpoint. Raises
    DamagedDocument; for an invalid event CannotFold, ValidationError or what a view raises.
    """
    batch = _Batch(views, records[-1].shard, state)
    for record in records:
        batch.apply(record)
    return batch.writes(_advance(state, records[-1], offset))


def park(
    views: Sequence[View], state: ShardState, record: Record, offset: int, error: Exception
) -> WriteBatch:
    """Parks a poison event. Later events of its aggregate will be parked as well.

    Raises TooManyParked.
    """
    batch = _Batch(views, record.shard, state)
    batch.park(record, _reason(error))
    return batch.writes(_advance(state, record, offset))


def mark_damaged(views: Sequence[View], shard: str, state: ShardState, id: str) -> WriteBatch:
    """Deletes a damaged document and adds an entry, so that reads of it are rejected."""
    checkpoint = state.checkpoint or _START
    entry = ParkedEntry(checkpoint.position, 0, "", DamagedDocument.__name__)
    writes = WriteBatch(checkpoint, {view.key(document_key(shard, id)): None for view in views})
    writes.values[parked_key(shard)] = encode_parked({**state.parked, id: entry})
    return writes


def refold(
    views: Sequence[View],
    shard: str,
    state: ShardState,
    id: str,
    rows: Sequence[Record],
    *,
    rewrite: bool,
) -> WriteBatch:
    """Rewrites an aggregate from all its `rows` up to the state's checkpoint.

    The part contains the rows before the first parked one, whatever the stored document contains:
    they are folded from nothing. The others are folded as new events, up to one that fails and at
    most MAX_REFOLDED_ROWS; the part does not depend on the order in which aggregates are folded.
    `rewrite`: also writes what the stored document has already.
    """
    checkpoint = state.checkpoint or _START
    entry = state.parked.get(id)
    first = entry.first_position if entry and entry.events else checkpoint.position + 1
    number = sum(row.position < first for row in rows)
    counted, parked = rows[:number], rows[number : number + MAX_REFOLDED_ROWS]
    lists = _lists(views, shard, [view.documents.get(id) for view in state.views])
    nothing = ViewState(None, {id: None}, {id: 0})
    empty = replace(state, parked={}, personal_items={id: _NO_ITEMS}, views=(nothing,) * len(views))
    base, folded, error = _fold_prefix(partial(_Batch, views, shard, empty), counted, lists)
    before = replace(base.state(id, state), parked={**state.parked})
    before.parked.pop(id, None)
    batch, more, failed = _fold_prefix(
        partial(_Batch, views, shard, before), parked if error is None else [], lists
    )
    error = error or failed
    reason = _reason(error) if error else entry.reason if entry else ""
    for row in rows[folded + more :]:
        batch.park(row, reason)
    writes = batch.writes(checkpoint)
    stored = [view.documents.get(id) for view in state.views]
    if rewrite or stored != [view.documents[id] for view in before.views]:
        writes.values = {**base.contents(), **writes.values}
    listed = batch.lists(id)
    writes.added = {key: [id] for key in sorted(listed)}
    writes.removed = {key: [id] for key in sorted(lists - listed)}
    writes.values[parked_key(shard)] = encode_parked(batch.parked)
    return writes


class AggregateContent(NamedTuple):
    """What a shard contains of one aggregate. Keys have no generation."""

    values: dict[str, bytes | None]
    """Documents and history items; None: there must be none."""
    documents: list[Document | None]
    """By view."""
    lists: set[str]
    """The lists that contain it."""
    earlier_lists: set[str]
    """Lists that contained it after an earlier event."""
    parked: int
    """How many of its events are parked."""


def fold_aggregate(
    views: Sequence[View], shard: str, id: str, rows: Sequence[Record], first_parked: int | None
) -> AggregateContent:
    """The fold of an aggregate's own `rows`; those from `first_parked` on are parked."""
    nothing = ViewState(None, {id: None}, {id: 0})
    views_before = (nothing,) * len(views)
    state = ShardState(b"", _START, {}, {id: _NO_ITEMS}, views_before)
    limit = len(rows)
    if first_parked is not None:
        limit = sum(row.position < first_parked for row in rows)
    lists: set[str] = set()
    new_batch = partial(_Batch, views, shard, state)
    batch, folded, _ = _fold_prefix(new_batch, rows[:limit], lists)
    for row in rows[folded:]:
        batch.park(row, "")
    documents = [of.documents[id] for of in batch.state(id, state).views]
    values: dict[str, bytes | None] = {view.key(document_key(shard, id)): None for view in views}
    values |= batch.contents()
    listed = batch.lists(id)
    entry = batch.parked.get(id)
    return AggregateContent(values, documents, listed, lists - listed, entry.events if entry else 0)


def _fold_prefix(
    new_batch: "Callable[[], _Batch]", rows: Sequence[Record], lists: set[str]
) -> "tuple[_Batch, int, Exception | None]":
    """A batch of the rows before the first that fails; adds the lists of each document."""
    batch = new_batch()
    for number, row in enumerate(rows):
        try:
            batch.apply(row)
        except Exception as error:
            batch = new_batch()  # the failed row may have changed one view
            for applied in rows[:number]:
                batch.apply(applied)
            return batch, number, error
        lists |= batch.lists(row.subject)
    return batch, len(rows), None


def _reason(error: Exception) -> str:
    return "CannotFold" if isinstance(error, DamagedDocument) else type(error).__name__


def _advance(state: ShardState, last: Record, offset: int) -> Checkpoint:
    """The checkpoint after `last`, without a target once it is reached."""
    before = state.checkpoint or _START
    return replace(
        before,
        position=last.position,
        offset=offset,
        event_id=last.event_id,
        target=before.target if last.position < before.target else 0,
    )


def _lists(views: Sequence[View], shard: str, documents: Sequence[Document | None]) -> set[str]:
    return {
        view.key(key)
        for view, document in zip(views, documents, strict=True)
        if document  # neither missing nor damaged
        for key in view.lists(shard, document)
    }


class _Batch:
    """A shard while a batch is folded: what its views share."""

    def __init__(self, views: Sequence[View], shard: str, state: ShardState) -> None:
        self._events = views[0].events
        self._upcasts = views[0].upcasts
        self._anonymizes, self._erases = views[0].anonymizes, views[0].erases
        self._shard = shard
        folds = [_ViewFold(view, shard, of) for view, of in zip(views, state.views, strict=True)]
        self._primary, *self._others = folds
        self._folds = folds
        self._history = History(views[0], shard, state.personal_items)
        self.parked = dict(state.parked)
        self._parks = False

    def apply(self, record: Record) -> None:
        entry = self.parked.get(record.subject)
        if entry is not None and entry.events == 0:
            raise DamagedDocument(record.subject)
        if entry is not None:
            self.park(record, entry.reason)
            return
        model = self._events.get(record.type)
        if model is None:
            raise UnknownType(record.type)
        self._project(record, model)

    def park(self, record: Record, reason: str) -> None:
        """Parks the event, unless it erases the aggregate. Personal data is removed at once."""
        id = record.subject
        self._parks = True
        if self._erases is not None and record.type == self._erases.type:
            self._history.delete(id, max(view.erase(id) for view in self._folds))
            self.parked.pop(id, None)
            return
        entry = self.parked.get(id)
        if entry is None or entry.events == 0:
            if entry is None and len(self.parked) >= MAX_PARKED:
                raise TooManyParked(f"{self._shard} at {record.position}")
            entry = ParkedEntry(record.position, 0, record.type, reason, record.time)
        self.parked[id] = entry._replace(events=entry.events + 1)
        if self._anonymizes is not None and record.type == self._anonymizes.type:
            self._history.anonymize(id)
            for view in self._folds:
                view.anonymize(id)

    def lists(self, id: str) -> set[str]:
        """The lists that contain the aggregate now."""
        return set().union(*(view.lists(id) for view in self._folds))

    def state(self, id: str, before: ShardState) -> ShardState:
        """The state after this batch for an aggregate, with the parts of `before`."""
        keys = [history_key(self._shard, id, version) for version in ANONYMIZED_VERSIONS]
        return replace(
            before,
            personal_items={id: [self._history.values.get(key) for key in keys]},
            views=tuple(
                view.state(id, of.part) for view, of in zip(self._folds, before.views, strict=True)
            ),
        )

    def contents(self) -> dict[str, bytes | None]:
        """The documents and history items, without parts and parked entries."""
        writes = WriteBatch(_START, dict(self._history.values))
        for view in self._folds:
            view.add_documents(writes)
        return writes.values

    def _project(self, record: Record, model: type[Event]) -> None:
        event, item = self._decode(record, model)
        if event.id != record.subject:
            raise CannotFold("the event's id is not the record's subject")
        document = self._primary.project(event, record)
        for view in self._others:
            view.project(event, record)
        if document is None:
            self._history.delete(event.id, event.version)
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
        for view in self._folds:
            view.add_to(writes)
        if self._parks:
            writes.values[parked_key(self._shard)] = encode_parked(self.parked)
        return writes


class _ViewFold:
    """One view of the shard while a batch is folded."""

    def __init__(self, view: View, shard: str, state: ViewState) -> None:
        self._view = view
        self._shard = shard
        self._before = state
        self._documents = dict(state.documents)
        self._positions: dict[str, int] = {}
        self._part = view.empty_part() if state.part is None else decode_part(state.part)

    def project(self, event: Event, record: Record) -> Document | None:
        """The document after the event."""
        before = self._documents[event.id]
        if before is DAMAGED or (before is None and event.version > FIRST_VERSION):
            raise DamagedDocument(event.id)
        if event.version != (FIRST_VERSION if before is None else before["version"] + 1):
            raise CannotFold("the version is not the next one")
        after: Document | None = self._view.project(before, event, record.time)
        self._change(event.id, after, record.position)
        return after

    def erase(self, id: str) -> int:
        """Deletes the document. Returns its version, 0 if there is none."""
        before = self._documents[id]
        if before is DAMAGED:
            raise DamagedDocument(id)
        if before is None:
            return 0
        self._change(id, None, 0)
        version: int = before["version"]
        return version

    def anonymize(self, id: str) -> None:
        """Removes the personal fields of the document; its version and position are kept."""
        before = self._documents[id]
        if before:
            position = self._positions.get(id, self._before.positions[id])
            self._change(id, self._view.anonymized(before), position)

    def lists(self, id: str) -> set[str]:
        return _lists([self._view], self._shard, [self._documents[id]])

    def state(self, id: str, part: bytes | None) -> ViewState:
        return ViewState(part, {id: self._documents[id]}, {id: self._positions.get(id, 0)})

    def add_to(self, writes: WriteBatch) -> None:
        self.add_documents(writes)
        if self._positions or self._before.part is None:
            key = self._view.key(dashboard_key(self._shard))
            writes.values[key] = encode_part(self._part)

    def add_documents(self, writes: WriteBatch) -> None:
        for id, position in self._positions.items():
            self._add_document(writes, id, position)

    def _change(self, id: str, after: Document | None, position: int) -> None:
        self._view.count(self._part, self._documents[id], after)
        self._documents[id] = after
        self._positions[id] = position

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
