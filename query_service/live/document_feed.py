"""Reads the documents that streams follow, whenever their shard has changed.

One read serves all streams of a shard: the cost of an event does not grow by a task per stream.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from query_service.documents import Documents, is_complete
from query_service.live.subscriber import GONE, Subscriber, encode_event, encode_retry
from query_service.watcher import Watcher
from shared.contracts.shards import Topic, shard_of
from shared.contracts.views import unpack_document
from shared.http.problems import Problem
from shared.logging_setup import describe_error

log = structlog.stdlib.get_logger(__name__)

_MAX_DOCUMENTS: Final = 256
_PAUSE_PER_DOCUMENT_S: Final = 20e-6
"""A shard's next read waits for this time per document, so that reads use a part of the CPU."""


class _FollowedShard:
    """The streams of one shard's documents. `changed`: all of them must be read; `added`: these."""

    __slots__ = ("added", "changed", "followers", "task", "topic")

    def __init__(self, topic: Topic) -> None:
        self.topic: Topic = topic
        self.followers: dict[str, set[Subscriber]] = {}
        self.added: set[str] = set()
        self.changed = False
        self.task: asyncio.Task[None] | None = None


class DocumentFeed:
    """Offers each subscriber the states of its document."""

    def __init__(self, documents: Documents, watcher: Watcher, partitions: int) -> None:
        self._documents = documents
        self._watcher = watcher
        self._partitions = partitions
        self._shards: dict[str, _FollowedShard] = {}

    @contextmanager
    def following(self, topic: Topic, id: str, subscriber: Subscriber) -> Iterator[None]:
        """Offer the document to the subscriber whenever it has a new version.

        Ends the stream when the document is deleted or its shard becomes unreadable.
        """
        shard = shard_of(topic, id, self._partitions)
        if not self._shards:
            self._watcher.add_listener(self._shard_changed)
        followed = self._shards.setdefault(shard, _FollowedShard(topic))
        followed.followers.setdefault(id, set()).add(subscriber)
        followed.added.add(id)
        self._start(shard, followed)
        try:
            yield
        finally:
            self._remove(shard, id, subscriber)

    def _remove(self, shard: str, id: str, subscriber: Subscriber) -> None:
        followed = self._shards[shard]
        followed.followers[id].remove(subscriber)
        if not followed.followers[id]:
            del followed.followers[id]
            followed.added.discard(id)
        if not followed.followers:
            del self._shards[shard]
        if not self._shards:
            self._watcher.remove_listener(self._shard_changed)

    def _shard_changed(self, shard: str) -> None:
        followed = self._shards.get(shard)
        if followed is not None:
            followed.changed = True
            self._start(shard, followed)

    def _start(self, shard: str, followed: _FollowedShard) -> None:
        if followed.task is None:
            followed.task = asyncio.create_task(self._read(shard, followed))

    async def _read(self, shard: str, followed: _FollowedShard) -> None:
        """Read until nothing has changed since."""
        try:
            while followed.changed or followed.added:
                ids = list(followed.followers if followed.changed else followed.added)
                followed.changed = False
                followed.added.clear()
                for start in range(0, len(ids), _MAX_DOCUMENTS):
                    await self._offer(shard, followed, ids[start : start + _MAX_DOCUMENTS])
                await asyncio.sleep(len(ids) * _PAUSE_PER_DOCUMENT_S)
        except Exception as error:
            if not isinstance(error, Problem):
                log.error("stream_read_failed", shard=shard, error=describe_error(error))
            for subscribers in followed.followers.values():
                _end(subscribers, encode_retry)
        finally:
            followed.task = None

    async def _offer(self, shard: str, followed: _FollowedShard, ids: list[str]) -> None:
        documents = await self._documents.read_all(shard, ids)
        topic = followed.topic
        for id, stored in zip(ids, documents, strict=True):
            subscribers = followed.followers.get(id, set())
            if stored is None:
                # Unlike a deleted document, a damaged one is a problem.
                gone = await self._documents.find(topic, id, None)
                if gone.stored is None:
                    _end(subscribers, lambda: GONE)
                continue
            version = stored[: stored.index(b" ")]
            for subscriber in subscribers:
                if subscriber.last_id != version:
                    offer_document(subscriber, topic, stored)


def offer_document(subscriber: Subscriber, topic: Topic, stored: bytes) -> None:
    """Offer the document if its version is newer than the last one, and it is complete.

    An incomplete one is the state between an event that was erased and the end of the erasure.
    """
    version, _, _, body = unpack_document(stored)
    if int(version) > int(subscriber.last_id) and is_complete(topic, stored):
        subscriber.offer(version, encode_event(version, body))


def _end(subscribers: Iterable[Subscriber], part: Callable[[], bytes]) -> None:
    for subscriber in subscribers:
        subscriber.end(part())
