"""Pages of lists, merged from the indexes of many shards: newest first, in two round trips.

An index is a sorted set of ids, all of score 0: by id, and so by time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from query_service.consistency import Consistency, Wanted
from query_service.documents import parked_events
from query_service.reader import Reader
from shared.contracts.shards import Topic, shard_of
from shared.contracts.views import checkpoint_key, document_key, parked_key, unpack_document

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
        wanted: Wanted | None,
        still: bytes = b"",
    ) -> Page:
        """The newest `limit` of the indexes with an id less than `before`.

        `still` must stand in a body: the index was read a moment earlier than the document.
        """
        read, ids = await self.newest(indexes, before, limit + 1, wanted)
        fetched = await self.fetch(topic, ids[:limit], read)
        bodies = {id: body for id, body in fetched.bodies.items() if still in body}
        last = ids[limit - 1] if len(ids) > limit else None
        return Page(bodies, last, fetched.read, fetched.parked)

    async def newest(
        self, indexes: Indexes, before: str | None, count: int, wanted: Wanted | None
    ) -> tuple[dict[str, int], list[str]]:
        """Where the shards are, and the newest ids of their indexes that are less than `before`.

        The checkpoints are read first: an index holds all that its shard's position stands for.
        """
        floors = self._consistency.floors(list(indexes))
        most = "+" if before is None else f"({before}"
        commands = [
            ("ZREVRANGEBYLEX", index, most, "-", "LIMIT", 0, count)
            for index in indexes.values()
            if index is not None
        ]
        checkpoints, found = await self._reader.read(list(map(checkpoint_key, indexes)), commands)
        return self._consistency.check(floors, checkpoints, wanted), _merged(found, count)

    async def sizes(
        self, choices: Mapping[str, Sequence[str]], wanted: Wanted | None
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
            id: unpack_document(stored)[3]
            for id, stored in zip(documents, values[2 * count :], strict=True)
            if stored is not None
        }
        return Fetched(bodies, read, sum(map(parked_events, values[count : 2 * count])))


def _merged(found: Sequence[Sequence[bytes]], count: int) -> list[str]:
    """The greatest `count` of several descending lists."""
    ids = sorted((id for ids in found for id in ids), reverse=True)
    return [id.decode() for id in ids[:count]]
