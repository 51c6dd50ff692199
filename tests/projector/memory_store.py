"""A store in memory, which passes the same tests as the stores in Redis."""

import asyncio
from collections.abc import Sequence

from projector.store import WriteBatch
from shared.contracts.views import Head
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
        if self.stored.get(shard, b"") != expected:
            return False
        self.content(shard).apply(writes)
        self.stored[shard] = writes.checkpoint.encode()
        return True

    async def purge(self, shard: str, expected: bytes) -> bool:
        await self._respond()
        if self.stored.get(shard, b"") != expected:
            return False
        self.contents[shard] = Content()
        return True

    async def write_head(self, shard: str, head: Head) -> None:
        await self._respond()
        self.heads[shard] = head

    async def _respond(self) -> None:
        await asyncio.sleep(0)
        if self.failing:
            self.failing -= 1
            raise ConnectionError("simulated failure")
