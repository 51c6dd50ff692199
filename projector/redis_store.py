"""Views in Redis: a shard is in one hash slot, so that one script call changes it atomically."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from importlib import resources
from typing import Any, Final

from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import NoScriptError

from projector.store import WriteBatch
from shared.contracts.views import Head, checkpoint_key, head_key
from shared.redis.exchange import RedisCommand, exchange

_SCAN_COUNT: Final = 1000

Argument = str | bytes | int
Run = Callable[..., Awaitable[Any]]


class RedisStore:
    """See `Store`. Raises what redis-py raises: RedisError, OSError, TimeoutError."""

    def __init__(self, client: Redis) -> None:
        self._run: Run = CommandBatcher(client.connection_pool).run
        self._write = _Script("write.lua")
        self._purge = _Script("purge.lua")

    async def load(
        self, shard: str, keys: Sequence[str]
    ) -> tuple[bytes | None, list[bytes | None]]:
        stored = await self._run("MGET", checkpoint_key(shard), *keys)
        return stored[0], stored[1:]

    async def write(self, shard: str, expected: bytes, writes: WriteBatch) -> bool:
        keys, arguments = _script_arguments(shard, expected, writes)
        return bool(await self._write.run(self._run, keys, arguments))

    async def purge(self, shard: str, expected: bytes) -> bool:
        kept = {checkpoint_key(shard).encode(), head_key(shard).encode()}
        cursor: int | bytes = 0
        while True:
            cursor, found = await self._run(
                "SCAN", cursor, "MATCH", f"{{{shard}}}:*", "COUNT", _SCAN_COUNT
            )
            keys = [checkpoint_key(shard), *(key for key in found if key not in kept)]
            if not await self._purge.run(self._run, keys, [expected]):
                return False
            if int(cursor) == 0:
                return True

    async def write_head(self, shard: str, head: Head) -> None:
        await self._run("SET", head_key(shard), head.encode())


class CommandBatcher:
    """Sends the commands of one turn of the event loop in one round trip.

    A batch of records leads to a read and a write for each of many shards. Each command receives
    its own reply or ResponseError; if the connection fails, all of them raise. A caller may be
    cancelled at any time, but its command may be executed nevertheless.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._queue: list[tuple[RedisCommand, asyncio.Future[Any]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, *command: Any) -> Any:
        """The reply. Raises what redis-py raises."""
        loop = asyncio.get_running_loop()
        if not self._queue:
            task = loop.create_task(self._send())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        reply: asyncio.Future[Any] = loop.create_future()
        self._queue.append((command, reply))
        return await reply

    async def _send(self) -> None:
        """Sends what was queued before this task runs, and completes every reply."""
        batch, self._queue = self._queue, []
        try:
            results = await exchange(self._pool, [command for command, _ in batch])
        except BaseException as error:
            for _, reply in batch:
                if not reply.done():
                    reply.set_exception(error) if isinstance(error, Exception) else reply.cancel()
            if not isinstance(error, Exception):
                raise
            return
        for (_, reply), result in zip(batch, results, strict=True):
            if not reply.done():
                failed = isinstance(result, Exception)
                reply.set_exception(result) if failed else reply.set_result(result)


class _Script:
    """A script of this package, sent in full only if Redis does not have it yet."""

    def __init__(self, name: str) -> None:
        self._source = resources.files(__package__).joinpath(name).read_bytes()
        self._sha = hashlib.sha1(self._source, usedforsecurity=False).hexdigest()

    async def run(
        self, run: Run, keys: Sequence[str | bytes], arguments: Sequence[Argument]
    ) -> Any:
        try:
            return await run("EVALSHA", self._sha, len(keys), *keys, *arguments)
        except NoScriptError:
            return await run("EVAL", self._source, len(keys), *keys, *arguments)


def _script_arguments(
    shard: str, expected: bytes, writes: WriteBatch
) -> tuple[list[str], list[Argument]]:
    """The keys and arguments of `write.lua`."""
    set_ = {key: value for key, value in writes.values.items() if value is not None}
    deleted = [key for key, value in writes.values.items() if value is None]
    keys = [checkpoint_key(shard), *set_, *deleted, *writes.added, *writes.removed]
    counts = len(set_), len(deleted), len(writes.added), len(writes.removed)
    arguments: list[Argument] = [expected, writes.checkpoint.encode(), *counts, *set_.values()]
    for ids in writes.added.values():
        arguments.append(2 * len(ids))
        for id in ids:
            arguments += ("0", id)
    for ids in writes.removed.values():
        arguments.append(len(ids))
        arguments += ids
    return keys, arguments
