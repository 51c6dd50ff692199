"""Commands to Redis that are asked for at the same moment, sent together.

A batch of records touches many shards, each by a read and a write of its own: in a round trip for
all of them a shard costs a fraction of what it does alone.
"""

import asyncio
from typing import Any

from redis.asyncio import ConnectionPool

from shared.redis.exchange import RedisCommand, exchange


class CommandBatcher:
    """Gives each command its own reply, or Redis's own error.

    A connection that fails is the error of all that went out on it. Whoever asks may be cancelled
    at any time; what it asked for may be done all the same.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._waiting: list[tuple[RedisCommand, asyncio.Future[Any]]] = []
        self._sending: set[asyncio.Task[None]] = set()

    async def run(self, *command: Any) -> Any:
        """The reply. Raises what redis-py raises."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            task = loop.create_task(self._send())
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        reply: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((command, reply))
        return await reply

    async def _send(self) -> None:
        """What was asked for until this task had its turn. Nothing of it stays unanswered."""
        batch, self._waiting = self._waiting, []
        try:
            replies = await exchange(self._pool, [command for command, _ in batch])
        except BaseException as error:
            for _, reply in batch:
                if not reply.done():
                    reply.set_exception(error) if isinstance(error, Exception) else reply.cancel()
            if not isinstance(error, Exception):
                raise
            return
        for (_, reply), found in zip(batch, replies, strict=True):
            if not reply.done():
                failed = isinstance(found, Exception)
                reply.set_exception(found) if failed else reply.set_result(found)
