"""Hears of commits at once: the command service notifies the channel `tandem_log` after them.

Nothing rests on it: whoever misses a notification finds the events when polling.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

import asyncpg
import structlog

from command_service.relay.backoff import Backoff

CHANNEL: Final = "tandem_log"
_CONNECT_SECONDS: Final = 5
_PROBE_SECONDS: Final = 15
Wake = Callable[[list[str]], None]
logger = structlog.get_logger(__name__)


async def listen(database_url: str, wake: Wake) -> None:
    """Call `wake` with the shards that got events (none named: any may have), until cancelled.

    The connection is made anew when it breaks; after each start everything is woken once.
    """
    backoff = Backoff(0.2, 5)
    while True:
        try:
            await _listen(database_url, wake, backoff)
        except Exception as error:
            logger.debug("not_listening", exc_info=error)
        await asyncio.sleep(backoff.failed())


async def _listen(database_url: str, wake: Wake, backoff: Backoff) -> None:
    connection = await asyncpg.connect(
        database_url, timeout=_CONNECT_SECONDS, command_timeout=_CONNECT_SECONDS
    )
    try:
        await connection.add_listener(CHANNEL, lambda *heard: wake(_shards(heard[-1])))
        backoff.reset()
        wake([])
        while True:
            await asyncio.sleep(_PROBE_SECONDS)
            await connection.execute("SELECT 1")
    finally:
        with contextlib.suppress(OSError, asyncpg.InterfaceError):
            connection.terminate()


def _shards(payload: Any) -> list[str]:
    return [name for name in str(payload).split(",") if name]
