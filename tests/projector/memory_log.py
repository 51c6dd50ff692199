"""An event log in memory."""

import asyncio
from collections.abc import Iterable

from shared.contracts.records import Record


class MemoryLog:
    """An event log in a list; raises while it is `unavailable`."""

    def __init__(self, records: list[Record]) -> None:
        self.records = records
        self.unavailable = False

    async def read(self, shard: str, first: int, limit: int) -> list[Record]:
        await self._respond()
        return self.records[first - 1 : first - 1 + limit]

    async def heads(self, shards: Iterable[str]) -> dict[str, int]:
        await self._respond()
        return dict.fromkeys(shards, len(self.records))

    async def event_ids(self, shard: str, positions: Iterable[int]) -> dict[int, str]:
        await self._respond()
        return {p: self.records[p - 1].event_id for p in positions if p <= len(self.records)}

    async def read_subject(
        self, shard: str, subject: str, after: int, upto: int, limit: int
    ) -> list[Record]:
        await self._respond()
        found = [r for r in self.records if r.subject == subject and after < r.position <= upto]
        return found[:limit]

    async def _respond(self) -> None:
        await asyncio.sleep(0)
        if self.unavailable:
            raise ConnectionRefusedError
