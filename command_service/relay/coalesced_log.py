"""The log as all shards of a relay read it: what they ask for meanwhile is one statement.

After a commit many shards have something new at once; a statement for each would cost PostgreSQL
and the relay several times what the rows do.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from shared.contracts.records import Record
from shared.event_log import PostgresEventLog, Range
from shared.request_coalescer import RequestCoalescer

if TYPE_CHECKING:
    import asyncpg

MOST_ROWS_AT_ONCE: Final = 4000


class CoalescedLog(PostgresEventLog):
    """Bounds what is read at once by its rows. An error is that of all that were read with it."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        super().__init__(pool)
        self._reads = RequestCoalescer(
            self.read_ranges, max_batch_size=MOST_ROWS_AT_ONCE, weight=lambda range: range.limit
        )

    async def read(self, shard: str, first: int, limit: int) -> Sequence[Record]:
        return await self._reads.submit(Range(shard, first, limit))
