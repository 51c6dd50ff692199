"""Commands of one moment share a connection's round trip, and nothing else."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, ResponseError

from projector.pipelined import CommandBatcher


class Connection:
    """Stands in for redis-py's pool and its one connection; gives the replies in order."""

    def __init__(self, *replies: Any, retries: int = 0) -> None:
        self.replies = list(replies)
        self.retry = Retry(NoBackoff(), retries, supported_errors=(ConnectionError,))
        self.was_sent, self.may_answer = asyncio.Event(), asyncio.Event()
        self.may_answer.set()
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
        await self.may_answer.wait()
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def disconnect(self, nowait: bool) -> None:
        self.ended += 1


async def _ask(connection: Connection, commands: int) -> list[Any]:
    pipelined = CommandBatcher(cast("ConnectionPool", connection))
    asked = (pipelined.run("GET", str(number)) for number in range(commands))
    return await asyncio.gather(*asked, return_exceptions=True)


async def test_commands_of_one_moment_go_out_together_and_each_gets_its_reply() -> None:
    connection = Connection(b"a", b"b", b"c")
    assert await _ask(connection, 3) == [b"a", b"b", b"c"]
    assert (connection.sent, connection.released, connection.ended) == ([3], 1, 0)


async def test_an_error_of_redis_concerns_its_own_command_alone() -> None:
    refused = ResponseError("OOM")
    connection = Connection(b"a", refused, b"c")
    assert await _ask(connection, 3) == [b"a", refused, b"c"]
    assert connection.ended == 0


async def test_a_connection_that_fails_is_closed_and_everybodys_error() -> None:
    lost = ConnectionError("gone")
    connection = Connection(b"a", lost)
    assert await _ask(connection, 3) == [lost, lost, lost]
    assert connection.ended > 0
    assert (connection.sent, connection.released) == ([3], 1)


async def test_all_are_sent_again_where_the_client_was_made_to_after_a_lost_connection() -> None:
    connection = Connection(b"a", ConnectionError("gone"), b"b", b"c", retries=1)
    assert await _ask(connection, 2) == [b"b", b"c"]
    assert (connection.sent, connection.ended, connection.released) == ([2, 2], 1, 1)


async def test_who_is_cancelled_leaves_the_others_their_replies() -> None:
    connection = Connection(b"a", b"b")
    connection.may_answer.clear()
    pipelined = CommandBatcher(cast("ConnectionPool", connection))
    first = asyncio.create_task(pipelined.run("GET", "0"))
    second = asyncio.create_task(pipelined.run("GET", "1"))
    await connection.was_sent.wait()
    first.cancel()
    connection.may_answer.set()
    assert await second == b"b"
    with pytest.raises(asyncio.CancelledError):
        await first
