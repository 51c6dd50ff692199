"""Commands to one Redis in one round trip, packed and parsed by hiredis.

The client's own pipeline spends several times as much on each command as Redis does.
"""

import asyncio
import builtins
import math
from collections.abc import Sequence
from typing import Any

import hiredis
from redis.asyncio import ConnectionPool
from redis.exceptions import ResponseError, TimeoutError

Command = Sequence[str | bytes | int]


async def exchange(pool: ConnectionPool, commands: Sequence[Command]) -> list[Any]:
    """The replies; Redis's own error stands in the place of the reply that it is.

    Raises what redis-py raises where the connection fails, with no reply known. A connection with
    replies that were not read is closed: nobody gets another's. The client's time for an answer is
    that of all together: a timer for each would cost more than the reply. All are sent again after
    a connection was lost where the client was made to do so.
    """
    packed = [_packed(command) for command in commands]
    connection = await pool.get_connection()  # type: ignore[no-untyped-call]  # so it is there
    try:
        replies: list[Any] = await connection.retry.call_with_retry(
            lambda: _once(connection, packed), lambda _error: connection.disconnect(nowait=True)
        )
        return replies
    except BaseException as error:
        await connection.disconnect(nowait=True)
        if isinstance(error, builtins.TimeoutError):
            raise TimeoutError("Redis did not answer in time") from error
        raise
    finally:
        await pool.release(connection)


async def _once(connection: Any, packed: Sequence[bytes]) -> list[Any]:
    await connection.send_packed_command(packed)
    async with asyncio.timeout(connection.socket_timeout):
        return [await _reply(connection) for _ in packed]


def _packed(command: Command) -> bytes:
    words: tuple[Any, ...] = tuple(command)
    packed: bytes = hiredis.pack_command(words)
    return packed


async def _reply(connection: Any) -> Any:
    try:
        return await connection.read_response(timeout=math.inf)
    except ResponseError as error:
        return error
