"""Sends NOTIFY after commits, so that relays need not wait for their next poll.

Commits that happen while one NOTIFY is sent share the next one. It runs outside the commands'
transactions, in which it would lock the database at COMMIT.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog
from prometheus_client import Counter

from command_service.write_store.pool import Pool
from shared.cancellation import raise_if_cancelled
from shared.event_log import COMMIT_CHANNEL

_NOTIFY: Final = "SELECT pg_notify($1, $2)"
_PAUSE_S: Final = 0.5
_MAX_PAYLOAD_BYTES: Final = 7999
logger = structlog.get_logger(__name__)


class Notifier:
    """If the process dies before it notifies, the relays find the events by polling."""

    def __init__(self, pool: Pool, failures: Counter) -> None:
        self._pool = pool
        self._failures = failures.labels("notify")
        self._shards: set[str] = set()
        self._changed = asyncio.Event()

    def add(self, shards: Iterable[str]) -> None:
        """Events of these shards were committed."""
        self._shards.update(shards)
        if self._shards:
            self._changed.set()

    async def run(self) -> None:
        """Notify until cancelled. A failed notification is dropped: relays poll as well."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            shards, self._shards = self._shards, set()
            try:
                await self._pool.execute(_NOTIFY, COMMIT_CHANNEL, format_payload(shards))
            except Exception as error:  # polling replaces it, so no failure matters more
                raise_if_cancelled(error)
                self._failures.inc()
                logger.warning("notify_failed", error=type(error).__name__)
                await asyncio.sleep(_PAUSE_S)


def format_payload(shards: set[str]) -> str:
    """The shards' names, or an empty payload, which means all shards, if they do not fit."""
    names = ",".join(sorted(shards))
    return names if len(names) <= _MAX_PAYLOAD_BYTES else ""
