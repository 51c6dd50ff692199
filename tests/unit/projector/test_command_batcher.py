"""Commands of one turn of the event loop share a round trip, and nothing else."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, ResponseError

from projector.redis_store import CommandBatcher


class Connection:
    """A fake of redis-py's pool and its one connection, with prepared replies."""

    def __init__(self, *replies: Any, retries: int = 0) -> None:
        self.replies = list(replies)
        self.retry = Retry(NoBackoff(), retries, supported_errors=(ConnectionError,))
        self.was_sent, self.may_reply = asyncio.Event(), asyncio.Event()
        self.may_reply.set()
        self.sent: list[int] = []
        self.socket_timeout = 5.0
        self.ended = self.released = 0

    async def get_connection(self) -> "Connection":
        return self

    async def release(self, connection: "Connection") -> None:
        self.released += 1

    async def send_packed_command(self, commands: Sequence[bytes]) -> None:
        self.sent.append(len(commands))
        self.was_sent.set()

    async def read_response(self, **_limits: float) -> Any:
        await self.may_reply.wait()
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def disconnect(self, nowait: bool) -> None:
        self.ended += 1


async def _run(connection: Connection, commands: int) -> list[Any]:
    batcher = CommandBatcher(cast("ConnectionPool", connection))
    replies = (batcher.run("GET", str(number)) for number in range(commands))
    return await asyncio.gather(*replies, return_exceptions=True)


async def test_commands_of_one_turn_are_sent_together_and_each_gets_its_reply() -> None:
    connection = Connection(b"a", b"b", b"c")
    assert await _run(connection, 3) == [b"a", b"b", b"c"]
    assert (connection.sent, connection.released, connection.ended) == ([3], 1, 0)


async def test_an_error_reply_is_raised_by_its_own_command_only() -> None:
    rejected = ResponseError("OOM")
    connection = Connection(b"a", rejected, b"c")
    assert await _run(connection, 3) == [b"a", rejected, b"c"]
    assert connection.ended == 0


async def test_a_failed_connection_is_closed_and_fails_all_commands() -> None:
    lost = ConnectionError("gone")
    connection = Connection(b"a", lost)
    assert await _run(connection, 3) == [lost, lost, lost]
    assert connection.ended > 0
    assert (connection.sent, connection.released) == ([3], 1)


async def test_all_commands_are_sent_again_after_a_lost_connection_if_the_client_retries() -> None:
    connection = Connection(b"a", ConnectionError("gone"), b"b", b"c", retries=1)
    assert await _run(connection, 2) == [b"b", b"c"]
    assert (connection.sent, connection.ended, connection.released) == ([2, 2], 1, 1)


async def test_a_cancelled_caller_does_not_affect_the_other_replies() -> None:
    connection = Connection(b"a", b"b")
    connection.may_reply.clear()
    batcher = CommandBatcher(cast("ConnectionPool", connection))
    first = asyncio.create_task(batcher.run("GET", "0"))
    second = asyncio.create_task(batcher.run("GET", "1"))
    await connection.was_sent.wait()
    first.cancel()
    connection.may_reply.set()
    assert await second == b"b"
    with pytest.raises(asyncio.CancelledError):
        await first
