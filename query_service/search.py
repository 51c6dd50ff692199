"""Searches products by word prefixes, at a bounded cost per page.

Candidates come from the smallest of the words' indexes; their documents are checked for the rest.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

import orjson

from query_service.consistency import ConsistencyRequirement
from query_service.pages import FetchedDocuments, Indexes, Page, Pages
from query_service.positions import GenerationChanged
from shared.contracts.documents import ProductDocument
from shared.contracts.views import MAX_PREFIX_LENGTH, prefix_key
from shared.contracts.words import words_of

MAX_CANDIDATES: Final = 500
MAX_MATCHING_S: Final = 0.008
"""CPU time of a page for checking candidates; reading them from Redis takes about as much."""
_BATCH_SIZE: Final = 100
_MAX_INDEXES: Final = 16


class Search:
    """A search for these words in these shards; without words it has no matches."""

    def __init__(
        self,
        pages: Pages,
        shards: Sequence[str],
        words: Sequence[str],
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._pages = pages
        self._shards = shards
        self._words = words
        self._cpu_clock = cpu_clock
        self._prefixes = sorted({word[:MAX_PREFIX_LENGTH] for word in words})[:_MAX_INDEXES]
        # Everything in the index of a single short word matches.
        self._min_batch = 0 if self._prefixes == list(words) and len(words) == 1 else _BATCH_SIZE

    async def page(
        self, before: str | None, limit: int, requirement: ConsistencyRequirement | None
    ) -> Page:
        """An attempt at a page. It ends early after MAX_CANDIDATES documents or MAX_MATCHING_S."""
        indexes = await self._indexes(requirement)
        matching: dict[str, bytes] = {}
        candidates, matching_s = 0, 0.0
        generations: Mapping[str, str] | None = None
        while True:
            count = max(limit + 1, self._min_batch)
            positions, ids = await self._pages.newest(indexes, before, count, requirement)
            if generations not in (None, positions.generations):
                raise GenerationChanged
            generations = positions.generations
            fetched = await self._pages.fetch("products", ids, positions)
            started = self._cpu_clock()
            for id, body in fetched.bodies.items():
                if matches(body, self._words):
                    matching[id] = body
                    if len(matching) > limit:
                        del matching[id]
                        return _page(matching, fetched, has_next=True)
                if matching_s + self._cpu_clock() - started > MAX_MATCHING_S:
                    return Page(matching, id, fetched.positions, fetched.parked)
            matching_s += self._cpu_clock() - started
            candidates += len(ids)
            if len(ids) < count:
                return _page(matching, fetched, has_next=False)
            before = ids[-1]
            if candidates >= MAX_CANDIDATES:
                return Page(matching, before, fetched.positions, fetched.parked)

    async def _indexes(self, requirement: ConsistencyRequirement | None) -> Indexes:
        """The smallest index in each shard; None if one is empty, since all words must match."""
        if len(self._prefixes) < 2:
            return {shard: self._only_index(shard) for shard in self._shards}
        keys = {s: [prefix_key(s, prefix) for prefix in self._prefixes] for s in self._shards}
        sizes = await self._pages.sizes(keys, requirement)
        return {s: _smallest(keys[s], sizes[s]) for s in self._shards}

    def _only_index(self, shard: str) -> str | None:
        return prefix_key(shard, self._prefixes[0]) if self._prefixes else None


def matches(body: bytes, words: Sequence[str]) -> bool:
    """Whether the product is active and each word is a prefix of one of the product's words."""
    text = _text_if_active(body)
    return bool(text) and all(f" {word}" in text for word in words)


@lru_cache(maxsize=1000)
def _text_if_active(body: bytes) -> str:
    """The product's words, each behind a blank. Cached: splitting is the most expensive part."""
    product: ProductDocument = orjson.loads(body)
    if product["status"] != "active":
        return ""
    return " " + " ".join(words_of(f"{product['name']} {product['description']}"))


def _smallest(keys: Sequence[str], sizes: Sequence[int]) -> str | None:
    size, key = min(zip(sizes, keys, strict=True))
    return key if size else None


def _page(matching: dict[str, bytes], fetched: FetchedDocuments, *, has_next: bool) -> Page:
    last = list(matching)[-1] if has_next else None
    return Page(matching, last, fetched.positions, fetched.parked)
