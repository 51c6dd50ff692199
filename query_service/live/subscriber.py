"""What a stream has to send next: one event at most, so that its memory is bounded."""

import asyncio
import random
from typing import Final

GONE: Final = b"event: gone\ndata: {}\n\n"
KEEP_ALIVE: Final = b":\n"
_RETRY_MS: Final = (1000, 5000)


def encode_event(id: bytes, data: bytes) -> bytes:
    """`data` has no line breaks."""
    return b"id: %b\ndata: %b\n\n" % (id, data)


def encode_retry() -> bytes:
    """When to reconnect: a random time, so that many clients do not reconnect at once."""
    return b"retry: %d\n\n" % random.randint(*_RETRY_MS)


class Subscriber:
    """The newest event that a stream has not sent. A newer one replaces it: slow clients skip it.

    `last_id` is the id of the last event that was offered, or the client's Last-Event-ID.
    """

    __slots__ = ("_ended", "_part", "_woken", "last_id")

    def __init__(self, last_id: bytes) -> None:
        self.last_id = last_id
        self._part: bytes | None = None
        self._woken: asyncio.Future[None] | None = None
        self._ended = False

    def offer(self, id: bytes, event: bytes) -> None:
        """The current state, as an encoded event with this id."""
        if not self._ended:
            self.last_id = id
            self._set(event)

    def end(self, part: bytes) -> None:
        """End the stream with this part, instead of an event that has not been sent."""
        if not self._ended:
            self._ended = True
            self._set(part)

    @property
    def done(self) -> bool:
        """Whether everything has been taken, and nothing will follow."""
        return self._ended and self._part is None

    async def next_part(self, timeout_s: float) -> bytes:
        """The next part of the body; a comment if the timeout passes first."""
        if self._part is None:
            self._woken = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._woken
            except TimeoutError:
                return KEEP_ALIVE
            finally:
                self._woken = None
        part, self._part = self._part, None
        return part or b""

    def _set(self, part: bytes) -> None:
        self._part = part
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)
