"""Tells the relays that something was committed, so that they need not wait for their next look.

One NOTIFY for all that was committed meanwhile, on a connection of its own: inside the commands'
transactions it would take a lock over the whole database at COMMIT.
"""

import asyncio
from typing import Final

import structlog

from command_service.write_store.failures import PASSES
from command_service.write_store.pool import Pool

CHANNEL: Final = "tandem_log"
_PAUSE_S: Final = 0.5
logger = structlog.get_logger(__name__)


class Notifier:
    """If the process dies before it tells, the relays find the events by polling."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._changed = asyncio.Event()

    def committed(self) -> None:
        """Something was committed."""
        self._changed.set()

    async def run(self) -> None:
        """Tells until it is cancelled. What cannot be told is dropped: polling finds it."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._pool.execute("SELECT pg_notify($1, '')", CHANNEL)
            except PASSES as error:
                logger.warning("notify_failed", error=type(error).__name__)
                await asyncio.sleep(_PAUSE_S)
