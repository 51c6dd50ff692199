"""What the projector reads from and writes to the store of the views, and the store's interface."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import orjson

from projector.views.view import Document, View
from shared.contracts.records import Record
from shared.contracts.views import (
    Checkpoint,
    Head,
    ParkedEntry,
    dashboard_key,
    decode_checkpoint,
    decode_parked,
    document_key,
    history_key,
    parked_key,
    unpack_document,
)

FIRST_VERSION: Final = 1
DAMAGED: Final[Document] = {}
"""Instead of a stored document that cannot be decoded."""
ANONYMIZED_VERSIONS: Final = range(FIRST_VERSION, FIRST_VERSION + 8)
"""The versions whose history items can contain personal data when an aggregate is anonymized.

An order has no more events before that: placed, paid, and two that end it.
"""


@dataclass(frozen=True, slots=True)
class ViewState:
    """One view of a shard before a batch: its dashboard part (JSON) and the batch's documents."""

    part: bytes | None
    documents: dict[str, Document | None]
    positions: dict[str, int]
    """The position of the last event in each document that exists."""


@dataclass(frozen=True, slots=True)
class ShardState:
    """A shard before a batch. `stored` is its checkpoint, byte for byte."""

    stored: bytes
    checkpoint: Checkpoint | None
    parked: dict[str, ParkedEntry]
    personal_items: dict[str, list[bytes | None]]
    """The history items, by ANONYMIZED_VERSIONS, of the aggregates that the batch anonymizes."""
    views: tuple[ViewState, ...]
    """In the order of the topic's views."""


@dataclass(slots=True)
class WriteBatch:
    """Changes to a shard: absolute values and memberships, so that applying them is idempotent."""

    checkpoint: Checkpoint
    values: dict[str, bytes | None] = field(default_factory=dict)
    """Key -> value, None to delete it."""
    added: dict[str, list[str]] = field(default_factory=dict)
    """Sorted set -> ids to add, with score 0."""
    removed: dict[str, list[str]] = field(default_factory=dict)
    """Sorted set -> ids to remove."""


class Store(Protocol):
    """The views of many shards. After an exception, it is unknown whether the call took effect.

    An absent value is a result; a store that is unavailable, loading or full raises instead.
    """

    async def load(
        self, shard: str, keys: Sequence[str]
    ) -> tuple[bytes | None, list[bytes | None]]:
        """The shard's checkpoint and the values of `keys`, all read at one moment."""
        ...

    async def write(self, shard: str, expected: bytes, writes: WriteBatch) -> bool:
        """Writes the batch and its checkpoint if the checkpoint is still `expected` (b"": none).

        Otherwise writes nothing and returns False. Atomic: a crash leaves all of it or nothing.
        """
        ...

    async def purge(self, shard: str, expected: bytes) -> bool:
        """Deletes all keys of the shard but checkpoint and head, while it has this checkpoint.

        Returns False if the checkpoint changed. Some keys may have been deleted by then, but the
        process that changed the checkpoint had purged before.
        """
        ...

    async def checkpoints(self, shards: Sequence[str]) -> dict[str, bytes | None]:
        """The checkpoints of the shards that are available. Raises if none is."""
        ...

    async def write_heads(self, heads: Mapping[str, Head]) -> None:
        """Publishes the observed heads of the event log."""
        ...


def state_keys(views: Sequence[View], shard: str, records: Sequence[Record]) -> list[str]:
    """The keys of the state besides the checkpoint, in the order that `decode_state` expects."""
    personal_items = [
        history_key(shard, id, version)
        for id in _anonymized(views[0], records)
        for version in ANONYMIZED_VERSIONS
    ]
    of_view = [dashboard_key(shard), *(document_key(shard, id) for id in _subjects(records))]
    keys = [parked_key(shard), *personal_items]
    for view in views:
        keys += of_view if view.is_primary else map(view.key, of_view)
    return keys


def decode_state(
    views: Sequence[View],
    records: Sequence[Record],
    stored: bytes | None,
    values: Sequence[bytes | None],
) -> ShardState:
    """The state from the values of `state_keys`. Raises ValueError if one is not a projector's."""
    subjects, anonymized = _subjects(records), _anonymized(views[0], records)
    value = iter(values)
    return ShardState(
        stored=stored or b"",
        checkpoint=decode_checkpoint(stored),
        parked=decode_parked(next(value)),
        personal_items={id: [next(value) for _ in ANONYMIZED_VERSIONS] for id in anonymized},
        views=tuple(
            _view_state(next(value), dict(zip(subjects, value, strict=False))) for _ in views
        ),
    )


def _view_state(part: bytes | None, stored: Mapping[str, bytes | None]) -> ViewState:
    state = ViewState(part, {}, {})
    for id, value in stored.items():
        document = None if value is None else _decode_document(value)
        state.documents[id], state.positions[id] = document or (None, 0)
    return state


def _decode_document(stored: bytes) -> tuple[Document, int]:
    """The document and its position; DAMAGED if it is not a projector's."""
    try:
        _, position, _, body = unpack_document(stored)
        document = orjson.loads(body)
        version: int = document["version"]
    except (ValueError, KeyError, TypeError):
        return DAMAGED, 0
    return (document, position) if isinstance(version, int) else (DAMAGED, 0)


def _subjects(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(record.subject for record in records))


def _anonymized(primary: View, records: Sequence[Record]) -> list[str]:
    if primary.anonymizes is None:
        return []
    type = primary.anonymizes.type
    return list(dict.fromkeys(record.subject for record in records if record.type == type))
