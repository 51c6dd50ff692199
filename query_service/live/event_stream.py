"""The response that is a stream, and the limits of all streams of the process."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from query_service.live.subscriber import Subscriber, encode_retry
from query_service.metrics import StreamMetrics
from shared.http.caller import Caller
from shared.http.messages import ResponseHeaders, StreamWriter
from shared.http.problems import unavailable

KEEP_ALIVE_S: Final = 10.0
_HEADERS: Final[ResponseHeaders] = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"private, no-cache"),
    (b"x-accel-buffering", b"no"),  # reverse proxies pass on every event at once
]

Follow = Callable[[Subscriber], AbstractContextManager[None]]
"""Offers every new state to the subscriber while the context is open."""


class Streams:
    """All open streams of the process."""

    def __init__(
        self, *, max_streams: int, max_streams_per_caller: int, metrics: StreamMetrics
    ) -> None:
        self._max_streams = max_streams
        self._max_streams_per_caller = max_streams_per_caller
        self.metrics = metrics
        self._open: set[Subscriber] = set()
        self._by_caller: Counter[str] = Counter()
        self.stopping = False
        metrics.open.set_function(lambda: len(self._open))

    def check(self, caller: Caller) -> None:
        """Raises 503 if no further stream, or none of this caller, may be opened."""
        if self.stopping:
            raise unavailable("the service is stopping")
        if len(self._open) >= self._max_streams:
            self.metrics.rejected.labels("total").inc()
            raise unavailable("too many streams are open")
        if self._by_caller[caller.sub] >= self._max_streams_per_caller:
            self.metrics.rejected.labels("caller").inc()
            raise unavailable("the caller has too many open streams")

    @contextmanager
    def opened(self, caller: Caller, subscriber: Subscriber) -> Iterator[None]:
        """Counts the stream; ends it at once if the limits have been reached since `check`."""
        allowed = (
            not self.stopping
            and len(self._open) < self._max_streams
            and self._by_caller[caller.sub] < self._max_streams_per_caller
        )
        if not allowed:
            subscriber.end(encode_retry())
        self._open.add(subscriber)
        self._by_caller[caller.sub] += 1
        try:
            yield
        finally:
            self._open.discard(subscriber)
            self._by_caller[caller.sub] -= 1
            if not self._by_caller[caller.sub]:
                del self._by_caller[caller.sub]

    def stop(self) -> None:
        """End all streams; their clients reconnect to another process."""
        self.stopping = True
        for subscriber in self._open:
            subscriber.end(encode_retry())


class EventStream:
    """A `StreamedResponse`. Ends with its subscriber, and when the caller's token expires.

    The limits of the connection end it if the client does not read.
    """

    status = 200
    headers: ResponseHeaders = _HEADERS

    def __init__(
        self, streams: Streams, caller: Caller, subscriber: Subscriber, follow: Follow
    ) -> None:
        self._streams = streams
        self._caller = caller
        self._subscriber = subscriber
        self._follow = follow

    async def stream(self, writer: StreamWriter) -> None:
        subscriber, expires_at = self._subscriber, self._caller.expires_at
        remaining_s = None if math.isinf(expires_at) else max(0.0, expires_at - time.time())
        with self._streams.opened(self._caller, subscriber), self._follow(subscriber):
            try:
                async with asyncio.timeout(remaining_s):
                    await self._send(writer)
            except TimeoutError:
                return
            except asyncio.CancelledError:
                if self._streams.stopping:
                    await writer.write(encode_retry())
                raise

    async def _send(self, writer: StreamWriter) -> None:
        while not self._subscriber.done:
            await writer.write(await self._subscriber.next_part(KEEP_ALIVE_S))
            self._streams.metrics.parts.inc()
