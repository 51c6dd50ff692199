"""History items: what an event says, as the history of its aggregate keeps it."""

from typing import Any

import orjson

from projector.views.view import View
from shared.contracts.documents import HistoryItem
from shared.contracts.events import personal_fields
from shared.contracts.records import Record


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
