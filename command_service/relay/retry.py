"""Waiting between attempts: with a growing delay, or until an event is set."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from shared.cancellation import raise_if_cancelled

logger = structlog.get_logger(__name__)


class Backoff:
    """The delay after the n-th consecutive failure: `initial` seconds, doubled up to `maximum`."""

    def __init__(self, initial: float, maximum: float) -> None:
        self._initial, self.maximum = initial, maximum
        self.failures = 0

    def next_delay(self) -> float:
        """Count a failure. Returns the seconds to wait."""
        self.failures += 1
        return min(self.maximum, self._initial * 2.0 ** min(self.failures - 1, 30))

    def reset(self) -> None:
        self.failures = 0


async def wait_until_set(event: asyncio.Event, timeout_seconds: float) -> None:
    """Return when the event is set, or after the timeout."""
    try:
        async with asyncio.timeout(max(timeout_seconds, 0)):
            await event.wait()
    except TimeoutError:
        return


async def run_forever(
    job_name: str, job: Callable[[], Awaitable[None]], count_failure: Callable[[], None]
) -> None:
    """Run the job until cancelled; start it again after a delay if it fails or ends.

    The first of consecutive failures is logged. A job that ran for long starts a new series.
    """
    backoff = Backoff(0.2, 5)
    clock = asyncio.get_running_loop().time
    while True:
        started = clock()
        try:
            await job()
        except Exception as error:
            raise_if_cancelled(error)
            count_failure()
            if clock() - started > backoff.maximum:
                backoff.reset()
            if backoff.failures == 0:
                logger.warning("background_job_failed", job=job_name, exc_info=error)
        await asyncio.sleep(backoff.next_delay())
