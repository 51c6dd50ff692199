"""Reads one document, with its shard's checkpoint and parked events, in one round trip."""

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

from query_service.consistency import Consistency, ConsistencyRequirement, StaleRead
from query_service.positions import GenerationChanged, Positions, ReadPositions
from query_service.reader import Reader, Values
from shared.contracts.shards import Topic, shard_of
from shared.contracts.views import (
    checkpoint_key,
    decode_parked,
    document_key,
    generation_key,
    parked_key,
    view_key,
)
from shared.http.problems import unavailable

DAMAGED: Final = "the document is damaged and will be folded again; retry later"


class StoredDocument(NamedTuple):
    """The stored bytes of a document, if it exists, and the position of its shard.

    `lacks_parked_event`: an event of the document that the token covers is parked.
    """

    shard: str
    position: int
    stored: bytes | None
    lacks_parked_event: bool
    generation: str
    shape: int

    @property
    def positions(self) -> ReadPositions:
        return ReadPositions({self.shard: self.position}, {self.shard: self.generation})


def is_complete(topic: Topic, body: bytes) -> bool:
    """Whether the document may be shown.

    While the views catch up, an erased user has a document without personal data until its
    erasure is folded. Within strings, JSON escapes quotes.
    """
    return topic != "users" or not (b'"name":null' in body or b'"email":null' in body)


class Documents:
    """Reads documents by id, and reports incomplete ones as absent."""

    def __init__(
        self, reader: Reader, positions: Positions, consistency: Consistency, partitions: int
    ) -> None:
        self._reader = reader
        self._positions = positions
        self._consistency = consistency
        self._partitions = partitions

    async def find(
        self,
        topic: Topic,
        id: str,
        requirement: ConsistencyRequirement | None,
        view: str | None = None,
    ) -> StoredDocument:
        """Read the document of the topic's primary view, or of the view of that name.

        Raises 503 if the shard is unreadable, and 412 if it does not reach the token in time.
        """
        shard = shard_of(topic, id, self._partitions)
        key = document_key(shard, id) if view is None else view_key(view, document_key(shard, id))
        if requirement is not None and shard in requirement.positions:
            required = requirement.positions[shard]
            attempt = partial(self._find_at, topic, shard, id, key, required)
            return await self._consistency.read(requirement, attempt)
        floor, generation = self._positions.floor(shard), self._positions.generation(shard)
        checkpoint, stored = await self._reader.get(
            (checkpoint_key(shard), generation_key(generation, key))
        )
        try:
            position = self._positions.check(shard, checkpoint, floor, generation)
        except GenerationChanged:
            stored = None
        if stored is None:
            return await self._consistency.read(
                None, partial(self._find_at, topic, shard, id, key, 0)
            )
        return StoredDocument(
            shard,
            position,
            _complete(topic, stored),
            False,
            generation,
            self._positions.shape(shard),
        )

    async def read_all(self, shard: str, ids: Sequence[str]) -> Values:
        """The stored documents of the shard's primary view, None for those that do not exist.

        Raises 503 if the shard is unreadable.
        """
        return await self._consistency.read(None, partial(self._read_all_at, shard, ids))

    async def _read_all_at(self, shard: str, ids: Sequence[str]) -> Values:
        floor, generation = self._positions.floor(shard), self._positions.generation(shard)
        keys = [generation_key(generation, document_key(shard, id)) for id in ids]
        (checkpoint, *stored), _ = await self._reader.read([checkpoint_key(shard), *keys])
        self._positions.check(shard, checkpoint, floor, generation)
        return stored

    async def _find_at(
        self, topic: Topic, shard: str, id: str, key: str, required: int
    ) -> StoredDocument:
        floor, generation = self._positions.floor(shard), self._positions.generation(shard)
        keys = (key, parked_key(shard))
        checkpoint, stored, parked = await self._reader.get(
            (checkpoint_key(shard), *(generation_key(generation, key) for key in keys))
        )
        position = self._positions.check(shard, checkpoint, floor, generation)
        if position < required:
            raise StaleRead({shard: required})
        entry = decode_parked(parked).get(id)
        if entry is not None and entry.events == 0:
            raise unavailable(DAMAGED)
        lacks_parked_event = entry is not None and entry.first_position <= required
        return StoredDocument(
            shard,
            position,
            _complete(topic, stored),
            lacks_parked_event,
            generation,
            self._positions.shape(shard),
        )


def _complete(topic: Topic, stored: bytes | None) -> bytes | None:
    return stored if stored is not None and is_complete(topic, stored) else None


def count_parked(stored: bytes | None) -> int:
    """How many events of a shard are parked."""
    return sum(entry.events for entry in decode_parked(stored).values())
