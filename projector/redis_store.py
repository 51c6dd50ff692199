"""Views in Redis: a shard is in one hash slot, so that one script call changes it atomically."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from importlib import resources
from typing import Any, Final

from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import NoPermissionError, NoScriptError

from projector.store import Memory, ShardReading, WriteBatch
from shared.contracts.views import (
    Head,
    checkpoint_key,
    head_key,
    owner_key,
    spare_key,
    sweep_key,
)
from shared.redis.exchange import RedisCommand, exchange

_SCAN_COUNT: Final = 1000

Argument = str | bytes | int
Run = Callable[..., Awaitable[Any]]


class RedisStore:
    """See `Store`. Raises what redis-py raises: RedisError, OSError, TimeoutError."""

    def __init__(self, client: Redis) -> None:
        self._run: Run = CommandBatcher(client.connection_pool).run
        self._write = _Script("write.lua")
        self._replace = _Script("replace.lua")
        self._switch = _Script("switch.lua")
        self._sweep = _Script("sweep.lua")

    async def load(
        self, shard: str, keys: Sequence[str]
    ) -> tuple[bytes | None, list[bytes | None]]:
        stored = await self._run("MGET", checkpoint_key(shard), *keys)
        return stored[0], stored[1:]

    async def write(self, shard: str, expected: bytes, writes: WriteBatch) -> bool:
        keys, arguments = _script_arguments(shard, expected, writes)
        return bool(await self._write.run(self._run, keys, arguments))

    async def replace(
        self, shard: str, changes: Mapping[str, bytes | None], expected: bytes
    ) -> bool:
        values = [value or b"" for value in changes.values()]
        return bool(await self._replace.run(self._run, list(changes), [expected, *values]))

    async def switch(
        self, shard: str, live: str, spare: str, state: str, mark: str, now_ms: int
    ) -> str:
        keys = [checkpoint_key(shard), spare_key(shard)]
        reply = await self._switch.run(self._run, keys, [live, spare, state, mark, now_ms])
        return str(reply.decode())

    async def sweep(self, sweeps: Mapping[str, bytes]) -> dict[str, int]:
        """Raises ConnectionError if the server was restarted: its cursors are new."""
        server = await self._run_id()
        found = dict.fromkeys(sweeps, 0)
        async for page in self._scan("*"):
            groups: dict[str, list[bytes]] = {}
            for key in page:
                shard = _shard_of(key)
                if shard in sweeps and found[shard] >= 0 and not _is_own(key):
                    groups.setdefault(shard, []).append(key)
            for shard, keys in groups.items():
                deleted = await self._sweep.run(
                    self._run,
                    [checkpoint_key(shard), spare_key(shard), sweep_key(shard), *keys],
                    [sweeps[shard]],
                )
                found[shard] = -1 if deleted < 0 else found[shard] + deleted
        if await self._run_id() != server:
            raise ConnectionError("the server was restarted during a sweep")
        return found

    async def read(
        self, shard: str, compared: str, keys: Sequence[str], members: Sequence[tuple[str, str]]
    ) -> ShardReading | None:
        commands = [
            self._run("MGET", compared, *keys),
            *(self._run("ZSCORE", key, id) for key, id in members),
            self._run("GET", compared),
        ]
        (stored, *values), *scores, after = await asyncio.gather(*commands)
        if stored != after:
            return None
        return ShardReading(stored or b"", values, [score is not None for score in scores])

    async def scan(self, shard: str) -> AsyncIterator[list[str]]:
        async for page in self._scan(f"{{{shard}}}:*"):
            yield [key.decode() for key in page]

    async def scan_members(self, shard: str, key: str) -> AsyncIterator[list[str]]:
        last = "-"
        while page := await self._run("ZRANGEBYLEX", key, last, "+", "LIMIT", 0, _SCAN_COUNT):
            yield [id.decode() for id in page]
            last = f"({page[-1].decode()}"

    async def count(self, shard: str, key: str) -> int:
        return int(await self._run("ZCARD", key))

    async def memory(self) -> list[Memory]:
        try:
            text = (await self._run("INFO", "memory")).decode()
        except NoPermissionError:
            return []
        fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        return [
            Memory(
                int(fields["used_memory"]),
                int(fields.get("maxmemory", 0)),
                fields.get("maxmemory_policy", ""),
            )
        ]

    async def _scan(self, pattern: str) -> AsyncIterator[list[bytes]]:
        cursor: int | bytes = 0
        while True:
            cursor, found = await self._run("SCAN", cursor, "MATCH", pattern, "COUNT", _SCAN_COUNT)
            yield found
            if int(cursor) == 0:
                return

    async def _run_id(self) -> str:
        text = (await self._run("INFO", "server")).decode()
        return next((line for line in text.splitlines() if line.startswith("run_id")), "")

    async def write_head(self, shard: str, head: Head | None, owner: bytes) -> None:
        # One command for each key: while its slot migrates, Redis rejects commands on several.
        writes = [self._run("SET", owner_key(shard), owner)]
        if head is not None:
            writes.append(self._run("SET", head_key(shard), head.encode()))
        await asyncio.gather(*writes)


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
    keys = [writes.compared_key(shard), *set_, *deleted, *writes.added, *writes.removed]
    counts = len(set_), len(deleted), len(writes.added), len(writes.removed)
    arguments: list[Argument] = [expected, writes.encoded_checkpoint(), *counts, *set_.values()]
    for ids in writes.added.values():
        arguments.append(2 * len(ids))
        for id in ids:
            arguments += ("0", id)
    for ids in writes.removed.values():
        arguments.append(len(ids))
        arguments += ids
    return keys, arguments


def _shard_of(key: bytes) -> str:
    return key[1 : max(key.find(b"}"), 1)].decode()


def _is_own(key: bytes) -> bool:
    """Whether the key belongs to the shard and not to one of its generations."""
    return key.partition(b"}:")[2] in _OWN


_OWN: Final = frozenset([b"checkpoint", b"spare", b"sweep", b"owner", b"head"])
