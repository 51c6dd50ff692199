"""Views in Redis: a shard is a hash slot, so one script call changes it in one step."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import resources
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from projector.pipelined import CommandBatcher
from projector.writes import WriteBatch
from shared.contracts.views import Head, checkpoint_key, head_key

_SCANNED: Final = 1000

Argument = str | bytes | int
Run = Callable[..., Awaitable[Any]]


class RedisStore:
    """See `Store`. Raises what redis-py raises: RedisError, OSError, TimeoutError."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._run: Run = CommandBatcher(client.connection_pool).run
        self._write = _Script("write.lua")
        self._purge = _Script("purge.lua")

    async def load(
        self, shard: str, keys: Sequence[str]
    ) -> tuple[bytes | None, list[bytes | None]]:
        stored = await self._run("MGET", checkpoint_key(shard), *keys)
        return stored[0], stored[1:]

    async def write(self, shard: str, expected: bytes, writes: WriteBatch) -> bool:
        keys, arguments = _pack(shard, expected, writes)
        return bool(await self._write.run(self._run, keys, arguments))

    async def purge(self, shard: str, expected: bytes) -> bool:
        kept = {checkpoint_key(shard).encode(), head_key(shard).encode()}
        cursor: int | bytes = 0
        while True:
            cursor, found = await self._run(
                "SCAN", cursor, "MATCH", f"{{{shard}}}:*", "COUNT", _SCANNED
            )
            keys = [checkpoint_key(shard), *(key for key in found if key not in kept)]
            if not await self._purge.run(self._run, keys, [expected]):
                return False
            if int(cursor) == 0:
                return True

    async def checkpoints(self, shards: Sequence[str]) -> dict[str, bytes | None]:
        async with self._client.pipeline(transaction=False) as pipeline:
            for shard in shards:
                pipeline.get(checkpoint_key(shard))
            return dict(zip(shards, await pipeline.execute(), strict=True))

    async def write_heads(self, heads: Mapping[str, Head]) -> None:
        async with self._client.pipeline(transaction=False) as pipeline:
            for shard, head in heads.items():
                pipeline.set(head_key(shard), head.encode())
            await pipeline.execute()


class _Script:
    """A script beside this module, sent in full only where Redis does not have it yet."""

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


def _pack(shard: str, expected: bytes, writes: WriteBatch) -> tuple[list[str], list[Argument]]:
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
