"""Follows one state that changes with any shard, such as the dashboard, for all its streams."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Final

import structlog

from query_service.live.subscriber import Subscriber, encode_event, encode_retry
from query_service.watcher import Watcher
from shared.http.problems import Problem
from shared.logging_setup import describe_error

log = structlog.stdlib.get_logger(__name__)

_MIN_INTERVAL_S: Final = 0.1
_MAX_INTERVAL_S: Final = 30.0
_ID_BYTES: Final = 9


def state_id(state: bytes) -> bytes:
    """The opaque id of a state."""
    return blake2b(state, digest_size=_ID_BYTES).hexdigest().encode()


class StateFeed:
    """Reads the state once for all streams, ten times a second at most."""

    def __init__(self, read: Callable[[], Awaitable[bytes]], watcher: Watcher) -> None:
        self._read_state = read
        self._watcher = watcher
        self._followers: set[Subscriber] = set()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def following(self, subscriber: Subscriber) -> Iterator[None]:
        """Offer each new state. Ends the stream when a shard becomes unreadable."""
        if not self._followers:
            self._watcher.add_listener(self._shard_changed)
        self._followers.add(subscriber)
        self._changed.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._followers.remove(subscriber)
            if not self._followers:
                self._watcher.remove_listener(self._shard_changed)
                self._changed.set()

    def _shard_changed(self, _shard: str) -> None:
        self._changed.set()

    async def _run(self) -> None:
        try:
            while self._followers:
                self._changed.clear()
                state = await self._read_state()
                id = state_id(state)
                event = encode_event(id, state)
                for subscriber in self._followers:
                    if subscriber.last_id != id:
                        subscriber.offer(id, event)
                await asyncio.sleep(_MIN_INTERVAL_S)
                await self._await_change()
        except Exception as error:
            if not isinstance(error, Problem):
                log.error("stream_read_failed", error=describe_error(error))
            for subscriber in self._followers:
                subscriber.end(encode_retry())
        finally:
            self._task = None

    async def _await_change(self) -> None:
        """Also returns after _MAX_INTERVAL_S: the days of the dashboard change by time."""
        try:
            async with asyncio.timeout(_MAX_INTERVAL_S):
                await self._changed.wait()
        except TimeoutError:
            return
