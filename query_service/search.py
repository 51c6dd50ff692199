"""Finds products by the beginnings of their words, at a bounded cost for each page.

Of the words' indexes the smallest is walked; each candidate's document is looked at for the rest.
"""

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import orjson

from query_service.consistency import ConsistencyRequirement
from query_service.pages import Fetched, Indexes, Page, Pages
from shared.contracts.documents import ProductDocument
from shared.contracts.views import MAX_PREFIX_LENGTH, prefix_key
from shared.contracts.words import words_of

MOST_EXAMINED: Final = 1000
_ROUND: Final = 100
_MOST_INDEXES: Final = 16


class Search:
    """A search for these words, in these shards; without words it finds nothing."""

    def __init__(self, pages: Pages, shards: Sequence[str], words: Sequence[str]) -> None:
        self._pages = pages
        self._shards = shards
        self._words = words
        self._beginnings = sorted({word[:MAX_PREFIX_LENGTH] for word in words})[:_MOST_INDEXES]
        # The index of a single short word holds nothing but what is looked for.
        self._round = 0 if self._beginnings == list(words) and len(words) == 1 else _ROUND

    async def page(
        self, before: str | None, limit: int, wanted: ConsistencyRequirement | None
    ) -> Page:
        """An attempt at a page. It ends early when enough candidates were looked at."""
        indexes = await self._indexes(wanted)
        found: dict[str, bytes] = {}
        examined = 0
        while True:
            count = max(limit + 1, self._round)
            read, ids = await self._pages.newest(indexes, before, count, wanted)
            fetched = await self._pages.fetch("products", ids, read)
            for id, body in fetched.bodies.items():
                if matches(body, self._words):
                    found[id] = body
            examined += len(ids)
            if len(found) > limit:
                return _page(dict(list(found.items())[:limit]), fetched, more=True)
            if len(ids) < count:
                return _page(found, fetched, more=False)
            before = ids[-1]
            if examined >= MOST_EXAMINED:
                return Page(found, before, fetched.read, fetched.parked)

    async def _indexes(self, wanted: ConsistencyRequirement | None) -> Indexes:
        """The smallest index in each shard; none where a word has none, for all must match."""
        if len(self._beginnings) < 2:
            return {shard: self._only_index(shard) for shard in self._shards}
        offered = {s: [prefix_key(s, b) for b in self._beginnings] for s in self._shards}
        sizes = await self._pages.sizes(offered, wanted)
        return {s: _smallest(offered[s], sizes[s]) for s in self._shards}

    def _only_index(self, shard: str) -> str | None:
        return prefix_key(shard, self._beginnings[0]) if self._beginnings else None


def matches(body: bytes, words: Sequence[str]) -> bool:
    """Whether the product is active, and each of the words begins one of its words."""
    own = _words_if_active(body)
    return bool(own) and all(_begins(word, own) for word in words)


@lru_cache(maxsize=1000)  # a long description takes 50 kB
def _words_if_active(body: bytes) -> tuple[str, ...]:
    """In order. What is searched for is often found: finding the words costs more than the rest."""
    product: ProductDocument = orjson.loads(body)
    if product["status"] != "active":
        return ()
    return tuple(sorted(words_of(f"{product['name']} {product['description']}")))


def _begins(word: str, own: Sequence[str]) -> bool:
    place = bisect_left(own, word)
    return place < len(own) and own[place].startswith(word)


def _smallest(keys: Sequence[str], sizes: Sequence[int]) -> str | None:
    size, key = min(zip(sizes, keys, strict=True))
    return key if size else None


def _page(found: dict[str, bytes], fetched: Fetched, *, more: bool) -> Page:
    return Page(found, list(found)[-1] if more else None, fetched.read, fetched.parked)
