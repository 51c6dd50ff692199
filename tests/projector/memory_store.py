"""A store in memory, which passes the same tests as the stores in Redis."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from projector.store import Memory, ShardReading, WriteBatch
from shared.contracts.views import Head, checkpoint_key
from tests.support.expected_views import Content


class MemoryStore:
    """See `Store`. The next `failing` calls raise without any effect."""

    def __init__(self) -> None:
        self.contents: dict[str, Content] = {}
        self.stored: dict[str, bytes] = {}
        self.heads: dict[str, Head] = {}
        self.failing = 0

    def content(self, shard: str) -> Content:
        return self.contents.setdefault(shard, Content())

    async def load(
        self, shard: str, keys: Sequence[str]
    ) -> tuple[bytes | None, list[bytes | None]]:
        await self._respond()
        values = self.content(shard).values
        return self.stored.get(shard), [values.get(key) for key in keys]

    async def write(self, shard: str, expected: bytes, writes: WriteBatch) -> bool:
        await self._respond()
        key = writes.compared_key(shard)
        if (self._get(shard, key) or b"") != expected:
            return False
        self.content(shard).apply(writes)
        self._set(shard, key, writes.encoded_checkpoint())
        return True

    async def replace(
        self, shard: str, changes: Mapping[str, bytes | None], expected: bytes
    ) -> bool:
        await self._respond()
        if (self._get(shard, next(iter(changes))) or b"") != expected:
            return False
        for key, value in changes.items():
            self._set(shard, key, value)
        return True

    async def switch(
        self, shard: str, live: str, spare: str, state: str, mark: str, now_ms: int
    ) -> str:
        raise NotImplementedError

    async def sweep(self, sweeps: Mapping[str, bytes]) -> dict[str, int]:
        raise NotImplementedError

    async def read(
        self, shard: str, compared: str, keys: Sequence[str], members: Sequence[tuple[str, str]]
    ) -> ShardReading | None:
        stored, values = await self.load(shard, keys)
        lists = self.content(shard).members
        return ShardReading(stored or b"", values, [id in lists.get(k, set()) for k, id in members])

    async def scan(self, shard: str) -> AsyncIterator[list[str]]:
        yield [*self.content(shard).values, *self.content(shard).members]

    async def scan_members(self, shard: str, key: str) -> AsyncIterator[list[str]]:
        yield sorted(self.content(shard).members.get(key, set()))

    async def count(self, shard: str, key: str) -> int:
        return len(self.content(shard).members.get(key, set()))

    async def memory(self) -> list[Memory]:
        return [Memory(0, 0, "noeviction")]

    def _get(self, shard: str, key: str) -> bytes | None:
        if key == checkpoint_key(shard):
            return self.stored.get(shard)
        return self.content(shard).values.get(key)

    def _set(self, shard: str, key: str, value: bytes | None) -> None:
        if key == checkpoint_key(shard) and value is not None:
            self.stored[shard] = value
        elif value is None:
            self.content(shard).values.pop(key, None)
        else:
            self.content(shard).values[key] = value

    async def write_head(self, shard: str, head: Head | None, owner: bytes) -> None:
        await self._respond()
        if head is not None:
            self.heads[shard] = head

    async def _respond(self) -> None:
        await asyncio.sleep(0)
        if self.failing:
            self.failing -= 1
            raise ConnectionError("simulated failure")
