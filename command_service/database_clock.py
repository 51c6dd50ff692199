"""PostgreSQL's time: events get it, so that the clock of a replica's machine does not matter."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from command_service.write_store.pool import Pool
from shared.contracts.times import truncate_to_milliseconds
from shared.http.problems import unavailable

_READ: Final = "SELECT clock_timestamp()"


class DatabaseClock:
    """The last time that PostgreSQL reported, plus the time that has passed here since."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._reported: datetime | None = None
        self._reported_at = 0.0

    async def measure(self, pool: Pool) -> bool:
        """Query PostgreSQL's time; the error is less than half of the round trip."""
        before = self._monotonic()
        reported: datetime = await pool.fetchval(_READ)
        self._reported, self._reported_at = reported, (before + self._monotonic()) / 2
        return False

    def now(self) -> datetime:
        """In UTC, truncated to milliseconds. Raises 503 before the first measurement."""
        if self._reported is None:
            raise unavailable("the service is starting")
        passed = timedelta(seconds=self._monotonic() - self._reported_at)
        return truncate_to_milliseconds(self._reported + passed)
