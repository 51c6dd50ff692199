"""Commands to one Redis in one round trip, packed and parsed by hiredis.

redis-py's pipeline costs several times as much CPU per command as Redis itself.
"""

import asyncio
import builtins
import math
from collections.abc import Sequence
from typing import Any

import hiredis
from redis.asyncio import ConnectionPool
from redis.exceptions import ResponseError, TimeoutError

RedisCommand = Sequence[str | bytes | int]


async def exchange(pool: ConnectionPool, commands: Sequence[RedisCommand]) -> list[Any]:
    """One entry per command: its reply, or the ResponseError that Redis returned for it.

    Raises what redis-py raises if the connection fails, or if the client's reply timeout, which
    applies to all replies together, expires. All commands are then sent again as often as the
    client's `retries` allow. A connection with unread replies is closed.
    """
    packed = [_packed(command) for command in commands]
    connection = await pool.get_connection()  # type: ignore[no-untyped-call]  # connected
    try:
        replies: list[Any] = await connection.retry.call_with_retry(
            lambda: _send_and_receive(connection, packed),
            lambda _error: connection.disconnect(nowait=True),
        )
        return replies
    except BaseException as error:
        await connection.disconnect(nowait=True)
        if isinstance(error, builtins.TimeoutError):
            raise TimeoutError("Redis did not reply in time") from error
        raise
    finally:
        await pool.release(connection)


async def _send_and_receive(connection: Any, packed: Sequence[bytes]) -> list[Any]:
    await connection.send_packed_command(packed)
    async with asyncio.timeout(connection.socket_timeout):
        return [await _reply(connection) for _ in packed]


def _packed(command: RedisCommand) -> bytes:
    words: tuple[Any, ...] = tuple(command)
    packed: bytes = hiredis.pack_command(words)
    return packed


async def _reply(connection: Any) -> Any:
    try:
        return await connection.read_response(timeout=math.inf)
    except ResponseError as error:
        return error
