"""The history of an aggregate: one item per event, stored beside the topic's primary view."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from projector.store import ANONYMIZED_VERSIONS, FIRST_VERSION
from projector.views.view import View
from shared.contracts.documents import HistoryItem
from shared.contracts.events import Event, personal_fields
from shared.contracts.records import Record
from shared.contracts.views import history_key


class History:
    """The history items that a batch of one shard writes and deletes."""

    def __init__(
        self, view: View, shard: str, personal_items: Mapping[str, Sequence[bytes | None]]
    ) -> None:
        self._view = view
        self._shard = shard
        self._personal_items = personal_items
        self.values: dict[str, bytes | None] = {}
        """Key -> item, None to delete it."""

    def add(self, event: Event, item: bytes) -> None:
        self.values[history_key(self._shard, event.id, event.version)] = item
        if self._view.anonymizes is type(event):
            self.anonymize(event.id)

    def delete(self, id: str, last_version: int) -> None:
        """Deletes the items of an aggregate up to this version."""
        for version in range(FIRST_VERSION, last_version + 1):
            self.values[history_key(self._shard, id, version)] = None

    def anonymize(self, id: str) -> None:
        """Sets the personal fields of the items to null."""
        stored = self._personal_items[id]
        for version, stored_item in zip(ANONYMIZED_VERSIONS, stored, strict=True):
            key = history_key(self._shard, id, version)
            item = self.values.get(key) or stored_item
            if item is not None:
                self.values[key] = _without_personal_data(self._view, item)


def slice_item(record: Record, version: int) -> bytes | None:
    """The item of a record, sliced from its value, which starts `{"id":...,"version":...`.

    None if the value starts differently, or may contain a constant that is not JSON.
    """
    value = record.data
    start = b'{"id":"%b","version":%d' % (record.subject.encode(), version)
    if not value.startswith(start) or b"NaN" in value or b"Infinity" in value:
        return None
    rest = value[len(start) :]
    if rest == b"}":
        data = b"{}"
    elif rest.startswith(b","):
        data = b"{" + rest[1:]
    else:
        return None
    at, by = orjson.dumps(record.time), orjson.dumps(record.actor)
    head = b'{"type":"%b","at":%b,"by":%b,"version":%d' % (record.type.encode(), at, by, version)
    return b'%b,"data":%b}' % (head, data)


def encode_item(record: Record, version: int, data: dict[str, Any]) -> bytes:
    """The item of a record with the value `data`, including fields unknown to this version.

    Removes `id` and `version` from `data`.
    """
    del data["id"], data["version"]
    item: HistoryItem = {
        "type": record.type,
        "at": record.time,
        "by": record.actor,
        "version": version,
        "data": data,
    }
    return orjson.dumps(item)


def _without_personal_data(view: View, stored: bytes) -> bytes:
    """The item with the personal fields of its event set to null."""
    item: HistoryItem = orjson.loads(stored)
    item["data"] |= dict.fromkeys(personal_fields(view.events[item["type"]]))
    return orjson.dumps(item)
