"""Reads pages of lists, newest first, merged from the indexes of many shards in two round trips.

An index is a sorted set of ids with score 0; its order is that of the ids, and therefore of time.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from query_service.consistency import Consistency, ConsistencyRequirement
from query_service.documents import DAMAGED, is_complete
from query_service.positions import ReadPositions
from query_service.reader import Reader
from shared.contracts.shards import Topic, shard_of
from shared.contracts.views import body_of, checkpoint_key, decode_parked, document_key, parked_key
from shared.http.problems import unavailable

Indexes = Mapping[str, str | None]
"""Shard -> key of its index; None: the shard's position is read, but no ids."""


@dataclass(frozen=True, slots=True)
class Page:
    """Bodies of documents by id, in order; `last` is the id after which the next page starts."""

    bodies: dict[str, bytes]
    last: str | None
    positions: Mapping[str, int]
    parked: int


@dataclass(frozen=True, slots=True)
class FetchedDocuments:
    """Bodies of the documents that exist, in the requested order."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    positions: Mapping[str, int] = field(default_factory=dict)
    parked: int = 0


class Pages:
    """Each method is one attempt: it raises StaleRead if a shard does not cover the token,
    GenerationChanged if its views were replaced, and 503 if one is unreadable.
    """

    def __init__(self, reader: Reader, consistency: Consistency, partitions: int) -> None:
        self._reader = reader
        self._consistency = consistency
        self._partitions = partitions

    async def page(
        self,
        topic: Topic,
        indexes: Indexes,
        before: str | None,
        limit: int,
        requirement: ConsistencyRequirement | None,
        must_contain: Sequence[bytes] = (),
    ) -> Page:
        """The newest `limit` documents of the indexes with an id less than `before`.

        Documents that have changed since their index was read are left out if their body lacks
        one of `must_contain`.
        """
        positions, ids = await self.newest(indexes, before, limit + 1, requirement)
        fetched = await self.fetch(topic, ids[:limit], positions)
        bodies = {
            id: body
            for id, body in fetched.bodies.items()
            if all(part in body for part in must_contain)
        }
        last = ids[limit - 1] if len(ids) > limit else None
        return Page(bodies, last, fetched.positions, fetched.parked)

    async def newest(
        self,
        indexes: Indexes,
        before: str | None,
        count: int,
        requirement: ConsistencyRequirement | None,
    ) -> tuple[ReadPositions, list[str]]:
        """The shards' positions, and the newest ids of their indexes that are less than `before`.

        The first round trip reads each shard's probable share. If a shard may have more of the
        newest ids, a second one reads the maximum from all.
        """
        share = _probable_share(count, sum(index is not None for index in indexes.values()))
        positions, lists = await self._greatest(indexes, before, share, requirement)
        ids = merge_greatest(lists, share, count)
        if ids is None:
            positions, lists = await self._greatest(indexes, before, count, requirement)
            ids = merge_greatest(lists, count, count)
        assert ids is not None
        return positions, ids

    async def _greatest(
        self,
        indexes: Indexes,
        before: str | None,
        max_ids: int,
        requirement: ConsistencyRequirement | None,
    ) -> tuple[ReadPositions, list[list[bytes]]]:
        """The greatest ids of each index, in descending order.

        The checkpoints are read first, so that an index contains all that its position covers.
        """
        floors = self._consistency.floors(list(indexes))
        end = "+" if before is None else f"({before}"
        commands = [
            ("ZREVRANGEBYLEX", floors.key(shard, index), end, "-", "LIMIT", 0, max_ids)
            for shard, index in indexes.items()
            if index is not None
        ]
        checkpoints, lists = await self._reader.read(list(map(checkpoint_key, indexes)), commands)
        return self._consistency.check(floors, checkpoints, requirement), lists

    async def sizes(
        self, indexes: Mapping[str, Sequence[str]], requirement: ConsistencyRequirement | None
    ) -> dict[str, list[int]]:
        """The number of ids in each of the indexes of each shard."""
        floors = self._consistency.floors(list(indexes))
        commands = [
            ("ZCARD", floors.key(shard, key)) for shard, keys in indexes.items() for key in keys
        ]
        checkpoints, sizes = await self._reader.read(list(map(checkpoint_key, indexes)), commands)
        self._consistency.check(floors, checkpoints, requirement)
        remaining = iter(sizes)
        return {shard: [next(remaining) for _ in keys] for shard, keys in indexes.items()}

    async def fetch(
        self, topic: Topic, ids: Iterable[str], floors: ReadPositions
    ) -> FetchedDocuments:
        """The documents in their current state; those that no longer exist are left out.

        `floors` are the positions of all shards when the ids were read. They are checked again, so
        that views which were lost since then never become an empty list.
        """
        shards = {id: shard_of(topic, id, self._partitions) for id in ids}
        documents = {id: floors.key(s, document_key(s, id)) for id, s in shards.items()}
        parked_keys = [floors.key(shard, parked_key(shard)) for shard in floors]
        keys = [*map(checkpoint_key, floors), *parked_keys, *documents.values()]
        values = (await self._reader.read(keys)).values
        count = len(floors)
        positions = self._consistency.check(floors, values[:count])
        bodies = {
            id: body_of(stored)
            for id, stored in zip(documents, values[2 * count :], strict=True)
            if stored is not None and is_complete(topic, stored)
        }
        maps = [decode_parked(stored) for stored in values[count : 2 * count] if stored is not None]
        if any(entry.events == 0 and id in documents for m in maps for id, entry in m.items()):
            raise unavailable(DAMAGED)
        parked = sum(entry.events for entries in maps for entry in entries.values())
        return FetchedDocuments(bodies, positions, parked)


def _probable_share(count: int, lists: int) -> int:
    """How many of the greatest `count` ids one list contains, except with small probability."""
    mean = count / max(lists, 1)
    return min(count, math.ceil(mean + 4 * math.sqrt(mean) + 2))


def merge_greatest(lists: Sequence[Sequence[bytes]], max_ids: int, count: int) -> list[str] | None:
    """The greatest `count` ids of several descending lists, each truncated after `max_ids`.

    None if a truncated list may have had more of them.
    """
    ids = sorted(chain.from_iterable(lists), reverse=True)[:count]
    truncated = [one[-1] for one in lists if len(one) == max_ids < count]
    if any(len(ids) < count or last > ids[-1] for last in truncated):
        return None
    return [id.decode() for id in ids]
