"""Pages of lists, merged from the indexes of many shards: newest first, in two round trips.

An index is a sorted set of ids, all of score 0: by id, and so by time.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from query_service.consistency import Consistency, ConsistencyRequirement
from query_service.documents import parked_events
from query_service.reader import Reader
from shared.contracts.shards import Topic, shard_of
from shared.contracts.views import body_of, checkpoint_key, document_key, parked_key

Indexes = Mapping[str, str | None]
"""Shard -> key of its index; None: the shard is read, and nothing of it listed."""


@dataclass(frozen=True, slots=True)
class Page:
    """Bodies of documents by id, in order; `last` is where the next page begins, None: nowhere."""

    bodies: dict[str, bytes]
    last: str | None
    read: Mapping[str, int]
    parked: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """Bodies of the documents that are there, in the order asked for."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    read: Mapping[str, int] = field(default_factory=dict)
    parked: int = 0


class Pages:
    """Each call is an attempt: it raises Behind where a shard is behind the token, and 503."""

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
        wanted: ConsistencyRequirement | None,
        must_contain: Sequence[bytes] = (),
    ) -> Page:
        """The newest `limit` of the indexes with an id less than `before`.

        Bodies that lack one of `must_contain` are left out: the index was read earlier.
        """
        read, ids = await self.newest(indexes, before, limit + 1, wanted)
        fetched = await self.fetch(topic, ids[:limit], read)
        bodies = {
            id: body
            for id, body in fetched.bodies.items()
            if all(part in body for part in must_contain)
        }
        last = ids[limit - 1] if len(ids) > limit else None
        return Page(bodies, last, fetched.read, fetched.parked)

    async def newest(
        self,
        indexes: Indexes,
        before: str | None,
        count: int,
        wanted: ConsistencyRequirement | None,
    ) -> tuple[dict[str, int], list[str]]:
        """Where the shards are, and the newest ids of their indexes that are less than `before`.

        Each shard is asked for its likely share; where one may have more of them, all are asked
        again, for as many as there could be.
        """
        share = _likely_share(count, sum(index is not None for index in indexes.values()))
        read, found = await self._greatest(indexes, before, share, wanted)
        ids = merged(found, share, count)
        if ids is None:
            read, found = await self._greatest(indexes, before, count, wanted)
            ids = merged(found, count, count)
        assert ids is not None
        return read, ids

    async def _greatest(
        self, indexes: Indexes, before: str | None, most: int, wanted: ConsistencyRequirement | None
    ) -> tuple[dict[str, int], list[list[bytes]]]:
        """The greatest ids of each index, in descending order.

        The checkpoints are read first: an index holds all that its shard's position stands for.
        """
        floors = self._consistency.floors(list(indexes))
        end = "+" if before is None else f"({before}"
        commands = [
            ("ZREVRANGEBYLEX", index, end, "-", "LIMIT", 0, most)
            for index in indexes.values()
            if index is not None
        ]
        checkpoints, found = await self._reader.read(list(map(checkpoint_key, indexes)), commands)
        return self._consistency.check(floors, checkpoints, wanted), found

    async def sizes(
        self, choices: Mapping[str, Sequence[str]], wanted: ConsistencyRequirement | None
    ) -> dict[str, list[int]]:
        """How many ids stand in each of the indexes that a shard offers."""
        floors = self._consistency.floors(list(choices))
        commands = [("ZCARD", index) for offered in choices.values() for index in offered]
        checkpoints, sizes = await self._reader.read(list(map(checkpoint_key, choices)), commands)
        self._consistency.check(floors, checkpoints, wanted)
        counts = iter(sizes)
        return {shard: [next(counts) for _ in offered] for shard, offered in choices.items()}

    async def fetch(self, topic: Topic, ids: Iterable[str], floors: Mapping[str, int]) -> Fetched:
        """The documents, as they are now; those that have gone are left out.

        `floors`: the shards that the answer is read from, and where they were when the ids were
        read. All are looked at again, so that views which went missing are never an empty list.
        """
        documents = {id: document_key(shard_of(topic, id, self._partitions), id) for id in ids}
        keys = [*map(checkpoint_key, floors), *map(parked_key, floors), *documents.values()]
        values = (await self._reader.read(keys)).values
        count = len(floors)
        read = self._consistency.check(floors, values[:count])
        bodies = {
            id: body_of(stored)
            for id, stored in zip(documents, values[2 * count :], strict=True)
            if stored is not None
        }
        return Fetched(bodies, read, sum(map(parked_events, values[count : 2 * count])))


def _likely_share(count: int, lists: int) -> int:
    """So many of the greatest `count` of all are in one list, or, rarely, more."""
    mean = count / max(lists, 1)
    return min(count, math.ceil(mean + 4 * math.sqrt(mean) + 2))


def merged(found: Sequence[Sequence[bytes]], most: int, count: int) -> list[str] | None:
    """The greatest `count` of several descending lists; None if one that was cut may have more.

    Lists are cut after `most` ids.
    """
    ids = sorted(chain.from_iterable(found), reverse=True)[:count]
    cut = [of_one[-1] for of_one in found if len(of_one) == most < count]
    if any(len(ids) < count or last > ids[-1] for last in cut):
        return None
    return [id.decode() for id in ids]
