"""What is in Redis of that which a batch touches, read in one step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from projector.views.view import Document, View
from shared.contracts.records import Record
from shared.contracts.views import (
    Checkpoint,
    body_of,
    dashboard_key,
    decode_checkpoint,
    document_key,
    history_key,
    parked_key,
)

FIRST_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class ShardState:
    """The shard's state before a batch; nobody changes it.

    `stored` is the checkpoint as it was read, to the byte; `part` and `parked` are JSON.
    """

    stored: bytes
    checkpoint: Checkpoint | None
    part: bytes | None
    parked: bytes | None
    documents: dict[str, Document | None]
    first_items: dict[str, bytes | None]


def keys_to_load(view: View, shard: str, records: Sequence[Record]) -> list[str]:
    """The keys besides the checkpoint, in the order in which `unpack` takes their values."""
    return [
        dashboard_key(shard),
        parked_key(shard),
        *(document_key(shard, id) for id in _subjects(records)),
        *(history_key(shard, id, FIRST_VERSION) for id in _anonymized(view, records)),
    ]


def unpack(
    view: View, records: Sequence[Record], stored: bytes | None, values: Sequence[bytes | None]
) -> ShardState:
    """Raises ValueError or KeyError where a value is not one that a projector wrote."""
    subjects = _subjects(records)
    part, parked, rest = values[0], values[1], values[2:]
    documents = rest[: len(subjects)]
    return ShardState(
        stored=stored or b"",
        checkpoint=decode_checkpoint(stored),
        part=part,
        parked=parked,
        documents=dict(zip(subjects, map(_body, documents), strict=True)),
        first_items=dict(zip(_anonymized(view, records), rest[len(subjects) :], strict=True)),
    )


def _subjects(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(record.subject for record in records))


def _anonymized(view: View, records: Sequence[Record]) -> list[str]:
    if view.anonymizes is None:
        return []
    type = view.anonymizes.type
    return list(dict.fromkeys(record.subject for record in records if record.type == type))


def _body(stored: bytes | None) -> Any:
    return None if stored is None else orjson.loads(body_of(stored))
