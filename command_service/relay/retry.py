"""Waiting between attempts: with a growing delay, or until an event is set."""

import asyncio


class Backoff:
    """The delay after the n-th consecutive failure: `initial` seconds, doubled up to `maximum`."""

    def __init__(self, initial: float, maximum: float) -> None:
        self._initial, self._maximum = initial, maximum
        self.failures = 0

    def next_delay(self) -> float:
        """Count a failure. Returns the seconds to wait."""
        self.failures += 1
        return min(self._maximum, self._initial * 2.0 ** min(self.failures - 1, 30))

    def reset(self) -> None:
        self.failures = 0


async def wait_until_set(event: asyncio.Event, timeout_seconds: float) -> None:
    """Return when the event is set, or after the timeout."""
    try:
        async with asyncio.timeout(max(timeout_seconds, 0)):
            await event.wait()
    except TimeoutError:
        return
