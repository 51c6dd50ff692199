"""What the projector reads from and writes to the store of the views, and the store's interface."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol, TypeVar

import orjson

from projector.views.view import Document, View
from shared.contracts.records import Record
from shared.contracts.views import (
    Checkpoint,
    Head,
    ParkedEntry,
    Spare,
    checkpoint_key,
    dashboard_key,
    decode_checkpoint,
    decode_parked,
    document_key,
    history_key,
    parked_key,
    spare_key,
    unpack_document,
)

FIRST_VERSION: Final = 1
DAMAGED: Final[Document] = {}
"""Instead of a stored document that cannot be decoded."""
ANONYMIZED_VERSIONS: Final = range(FIRST_VERSION, FIRST_VERSION + 8)
"""The versions whose history items can contain personal data when an aggregate is anonymized.

An order has no more events before that: placed, paid, and two that end it.
"""

# A write within these limits blocks Redis for 5 ms at most.
MAX_WRITE_ITEMS: Final = 1000
MAX_WRITE_BYTES: Final = 512 * 1024
_ID_LENGTH: Final = 36


T = TypeVar("T")


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
    spare: tuple[str, int] | None = None
    """State and time of the spare, if its checkpoint is the one to compare and to write."""

    def compared_key(self, shard: str) -> str:
        return checkpoint_key(shard) if self.spare is None else spare_key(shard)

    def encoded_checkpoint(self) -> bytes:
        if self.spare is None:
            return self.checkpoint.encode()
        return Spare(*self.spare, self.checkpoint).encode()

    def relative_size(self) -> float:
        """Its keys and members per MAX_WRITE_ITEMS or bytes per MAX_WRITE_BYTES, if greater."""
        memberships = [*self.added.items(), *self.removed.items()]
        items = len(self.values) + sum(len(ids) for _, ids in memberships)
        size = sum(len(key) + len(value or b"") for key, value in self.values.items())
        size += sum(len(key) + _ID_LENGTH * len(ids) for key, ids in memberships)
        return max(items / MAX_WRITE_ITEMS, size / MAX_WRITE_BYTES)

    def split(self, previous: Checkpoint, state_keys: Collection[str]) -> list["WriteBatch"]:
        """Writes of at most MAX_WRITE_ITEMS to execute in order; only the last one is larger.

        All but the last one keep the `previous` checkpoint, and change none of `state_keys`, which
        a fold reads. After a crash between two of them, the same event is therefore folded again.
        """
        early = [(key, value) for key, value in self.values.items() if key not in state_keys]
        parts = [WriteBatch(previous, dict(chunk)) for chunk in _chunks(early)]
        for chunk in _chunks([(key, id) for key, ids in self.added.items() for id in ids]):
            parts.append(WriteBatch(previous, added=_grouped(chunk)))
        for chunk in _chunks([(key, id) for key, ids in self.removed.items() for id in ids]):
            parts.append(WriteBatch(previous, removed=_grouped(chunk)))
        late = {key: value for key, value in self.values.items() if key in state_keys}
        return [*parts, WriteBatch(self.checkpoint, late)]


class Memory(NamedTuple):
    """The memory of a node in bytes; `maximum` is 0 without a limit."""

    used: int
    maximum: int
    policy: str


class ShardReading(NamedTuple):
    """Values and memberships at one checkpoint, `stored`."""

    stored: bytes
    values: list[bytes | None]
    members: list[bool]


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

    async def replace(
        self, shard: str, changes: Mapping[str, bytes | None], expected: bytes
    ) -> bool:
        """Sets keys of the shard, or deletes them (None), if the first is still `expected`.

        b"" expects no value. Works if Redis is full. Returns whether the keys were changed.
        """
        ...

    async def switch(
        self, shard: str, live: str, spare: str, state: str, mark: str, now_ms: int
    ) -> str:
        """Exchanges these generations. Returns "switched", "behind" or "changed"."""
        ...

    async def sweep(self, sweeps: Mapping[str, bytes]) -> dict[str, int]:
        """Deletes the keys of generations that are named nowhere, in one scan of each node.

        `sweeps`: shard -> the value of its key `sweep`. Returns how many keys were found; -1 if
        another process has begun a sweep. Shards of unavailable nodes are left out.
        """
        ...

    async def read(
        self, shard: str, compared: str, keys: Sequence[str], members: Sequence[tuple[str, str]]
    ) -> ShardReading | None:
        """The value of the key `compared`, other values, and which (sorted set, id) are members.

        None if the value of `compared` changed in between.
        """
        ...

    def scan(self, shard: str) -> AsyncIterator[list[str]]:
        """All keys of the shard, in pages, some perhaps more than once."""
        ...

    def scan_members(self, shard: str, key: str) -> AsyncIterator[list[str]]:
        """The members of a sorted set, in pages, some perhaps more than once."""
        ...

    async def count(self, shard: str, key: str) -> int:
        """The number of members of a sorted set."""
        ...

    async def memory(self) -> list[Memory]:
        """The memory of each node; empty if the user may not read it."""
        ...

    async def write_head(self, shard: str, head: Head | None, owner: bytes) -> None:
        """Publishes the observed head of the event log, and what the shard's owner knows."""
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


def _chunks(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[n : n + MAX_WRITE_ITEMS] for n in range(0, len(items), MAX_WRITE_ITEMS)]


def _grouped(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for key, id in pairs:
        groups.setdefault(key, []).append(id)
    return groups


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
