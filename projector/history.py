"""History items: what an event says, as the history of its aggregate keeps it."""

from typing import Any

import orjson

from projector.views.view import View
from shared.contracts.documents import HistoryItem
from shared.contracts.events import personal_fields
from shared.contracts.records import Record


def item_of_bytes(record: Record, version: int) -> bytes | None:
    """The item of a record, its value cut as it is written: `{"id":...,"version":...` and the rest.

    None where it is not written so, or where text that is no JSON might have been read as such.
    """
    value = record.data
    front = b'{"id":"%b","version":%d' % (record.subject.encode(), version)
    if not value.startswith(front) or b"NaN" in value or b"Infinity" in value:
        return None
    rest = value[len(front) :]
    if rest == b"}":
        data = b"{}"
    elif rest.startswith(b","):
        data = b"{" + rest[1:]
    else:
        return None
    at, by = orjson.dumps(record.time), orjson.dumps(record.actor)
    head = b'{"type":"%b","at":%b,"by":%b,"version":%d' % (record.type.encode(), at, by, version)
    return b'%b,"data":%b}' % (head, data)


def history_item(record: Record, version: int, data: dict[str, Any]) -> bytes:
    """The item of a record whose value is `data`, fields that are not known yet included.

    Takes what stands beside the data, `id` and `version`, out of it.
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


def without_personal_data(view: View, stored: bytes) -> bytes:
    """The item with null in place of what is personal in its event."""
    item: HistoryItem = orjson.loads(stored)
    item["data"] |= dict.fromkeys(personal_fields(view.events[item["type"]]))
    return orjson.dumps(item)
