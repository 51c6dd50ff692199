"""One document, with all that decides whether it may be shown, in one round trip."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import orjson

from query_service.consistency import Behind, Consistency, ConsistencyRequirement
from query_service.positions import Positions
from query_service.reader import Reader
from shared.contracts.shards import Topic, shard_of
from shared.contracts.views import checkpoint_key, document_key, parked_key

Parked = Mapping[str, tuple[int, int]]
"""Aggregate id -> first parked position, number of parked events."""


class Found(NamedTuple):
    """What is stored of a document, and the position of its shard at that moment.

    `withheld`: an event of it that the token stands for is parked.
    """

    shard: str
    position: int
    stored: bytes | None
    withheld: bool

    @property
    def read(self) -> dict[str, int]:
        return {self.shard: self.position}


class Documents:
    """Reads documents by id."""

    def __init__(
        self, reader: Reader, positions: Positions, consistency: Consistency, partitions: int
    ) -> None:
        self._reader = reader
        self._positions = positions
        self._consistency = consistency
        self._partitions = partitions

    async def find(self, topic: Topic, id: str, wanted: ConsistencyRequirement | None) -> Found:
        """Raises 503 where the shard cannot be read, 412 where it stays behind the token."""
        shard = shard_of(topic, id, self._partitions)
        if wanted is not None and shard in wanted.positions:
            need = wanted.positions[shard]
            return await self._consistency.answer(wanted, partial(self._find_at, shard, id, need))
        floor = self._positions.floor(shard)
        checkpoint, stored = await self._reader.get(
            (checkpoint_key(shard), document_key(shard, id))
        )
        position = self._positions.check(shard, checkpoint, floor)
        return Found(shard, position, stored, False)

    async def _find_at(self, shard: str, id: str, need: int) -> Found:
        floor = self._positions.floor(shard)
        keys = (checkpoint_key(shard), document_key(shard, id), parked_key(shard))
        checkpoint, stored, parked = await self._reader.get(keys)
        position = self._positions.check(shard, checkpoint, floor)
        if position < need:
            raise Behind({shard: need})
        first = decode_parked(parked).get(id)
        return Found(shard, position, stored, withheld=first is not None and first[0] <= need)


def decode_parked(stored: bytes | None) -> Parked:
    parked: Parked = {} if stored is None else orjson.loads(stored)
    return parked


def parked_events(stored: bytes | None) -> int:
    """How many events of a shard are parked."""
    return sum(count for _, count in decode_parked(stored).values())
