"""Receives the notifications that the command service sends after its commits.

They only reduce latency: events of a lost notification are found by polling.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

import asyncpg

from command_service.relay.retry import wait_until_set
from shared.event_log import COMMIT_CHANNEL

APPLICATION_NAME: Final = "tandem-relay-listener"
_CONNECT_SECONDS: Final = 5
_PROBE_SECONDS: Final = 15
Wake = Callable[[list[str]], None]


async def listen(database_url: str, wake: Wake) -> None:
    """Call `wake` with the shards that have new events (an empty list: any).

    All shards are woken after the connect. Raises what PostgreSQL's client raises when it cannot
    connect or the connection is lost.
    """
    connection = await asyncpg.connect(
        database_url,
        timeout=_CONNECT_SECONDS,
        command_timeout=_CONNECT_SECONDS,
        server_settings={"application_name": APPLICATION_NAME},
    )
    lost = asyncio.Event()
    try:
        connection.add_termination_listener(lambda _: lost.set())
        await connection.add_listener(COMMIT_CHANNEL, lambda *args: wake(_shards(args[-1])))
        wake([])
        while True:
            await wait_until_set(lost, _PROBE_SECONDS)
            await connection.execute("SELECT 1")
    finally:
        with contextlib.suppress(OSError, asyncpg.InterfaceError):
            connection.terminate()


def _shards(payload: Any) -> list[str]:
    return [name for name in str(payload).split(",") if name]
