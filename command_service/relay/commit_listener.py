"""Receives the notifications that the command service sends after its commits.

They only reduce latency: events of a lost notification are found by polling.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

import asyncpg
import structlog

from command_service.relay.retry import Backoff
from shared.event_log import COMMIT_CHANNEL

_CONNECT_SECONDS: Final = 5
_PROBE_SECONDS: Final = 15
Wake = Callable[[list[str]], None]
logger = structlog.get_logger(__name__)


async def listen(database_url: str, wake: Wake) -> None:
    """Call `wake` with the shards that have new events (an empty list: any), until cancelled.

    A lost connection is replaced; after each connect all shards are woken.
    """
    backoff = Backoff(0.2, 5)
    while True:
        try:
            await _listen(database_url, wake, backoff)
        except Exception as error:
            logger.debug("commit_listener_failed", exc_info=error)
        await asyncio.sleep(backoff.next_delay())


async def _listen(database_url: str, wake: Wake, backoff: Backoff) -> None:
    connection = await asyncpg.connect(
        database_url, timeout=_CONNECT_SECONDS, command_timeout=_CONNECT_SECONDS
    )
    try:
        await connection.add_listener(COMMIT_CHANNEL, lambda *args: wake(_shards(args[-1])))
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
