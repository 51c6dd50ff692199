"""Tells the relays that something was committed, so that they need not wait for their next look.

One NOTIFY for all that was committed meanwhile, on a connection of its own: inside the commands'
transactions it would take a lock over the whole database at COMMIT.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog

from command_service.write_store.pool import Pool
from command_service.write_store.postgres_errors import TRANSIENT_ERRORS

CHANNEL: Final = "tandem_log"
_PAUSE_S: Final = 0.5
_LONGEST: Final = 7999  # bytes of a payload
logger = structlog.get_logger(__name__)


class Notifier:
    """If the process dies before it tells, the relays find the events by polling."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._shards: set[str] = set()
        self._changed = asyncio.Event()

    def committed(self, shards: Iterable[str]) -> None:
        """Events of these shards were committed."""
        self._shards.update(shards)
        if self._shards:
            self._changed.set()

    async def run(self) -> None:
        """Tells until it is cancelled. What cannot be told is dropped: polling finds it."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            shards, self._shards = self._shards, set()
            try:
                await self._pool.execute("SELECT pg_notify($1, $2)", CHANNEL, payload(shards))
            except TRANSIENT_ERRORS as error:
                logger.warning("notify_failed", error=type(error).__name__)
                await asyncio.sleep(_PAUSE_S)


def payload(shards: set[str]) -> str:
    """The shards' names; nothing, which stands for all of them, where they are too many."""
    names = ",".join(sorted(shards))
    return names if len(names) <= _LONGEST else ""
