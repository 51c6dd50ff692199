"""Brings a shard's views up to the head of the event log, whatever state they are in."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from projector.fold import DamagedDocument
from projector.projection import Projection
from projector.refolding import Refolding
from projector.store import WriteBatch
from shared.contracts.records import Record
from shared.contracts.views import Checkpoint
from shared.event_log import MAX_READ_BYTES, AggregateLog, LogDivergence

MAX_ROWS: Final = 1000


class CatchUp:
    """Reads a shard's missing events from the event log.

    A crash may follow any step: the next catch-up continues from the checkpoint.
    """

    def __init__(self, projection: Projection, log: AggregateLog, max_rows: int = MAX_ROWS) -> None:
        self._projection = projection
        self._max_rows = self._limit = max_rows
        self._progress = projection.progress
        self._shard = projection.shard
        self._log = log
        self._refolding = Refolding(projection, log)
        self._refolded: set[str] = set()
        """Aggregates that were refolded: if their next event fails again, the event is poison."""

    async def step(self, stored: bytes) -> bytes | None:
        """Applies the rows of one read, at most MAX_ROWS, after the checkpoint `stored`.

        Returns the next checkpoint, or None at the head. Raises LogDivergence, and what the store
        and the event log raise.
        """
        checkpoint = self._projection.decode(stored)
        if checkpoint is None:
            return await self._start(stored)
        if self._progress.is_lost(checkpoint):
            target = max(self._progress.position, checkpoint.target)
            return await self._write(stored, replace(checkpoint, target=target))
        self._progress.observe(checkpoint)
        rows = await self._read_after(checkpoint)
        if rows:
            return await self._apply(stored, rows)
        if checkpoint.target:  # more than the event log contains
            return await self._write(stored, replace(checkpoint, target=0))
        self._refolded.clear()
        return None

    async def _start(self, stored: bytes) -> bytes:
        """Starts the views at position 0. Until they reach the head, reads are rejected."""
        head = (await self._log.heads([self._shard]))[self._shard]
        await self._projection.start(stored, head)
        return await self._projection.checkpoint()

    async def _write(self, stored: bytes, checkpoint: Checkpoint) -> bytes:
        """Writes the checkpoint alone. Returns what is stored afterwards."""
        writes = WriteBatch(checkpoint)
        if await self._projection.write(stored, writes):
            return writes.encoded_checkpoint()
        return await self._projection.checkpoint()

    async def _read_after(self, checkpoint: Checkpoint) -> Sequence[Record]:
        """The rows after the checkpoint. Raises LogDivergence if its own row is another event."""
        if checkpoint.position == 0:
            return await self._read(1)
        rows = await self._read(checkpoint.position)
        if (
            not rows
            or rows[0].position != checkpoint.position
            or rows[0].event_id != checkpoint.event_id
        ):
            raise LogDivergence(f"{self._shard} at {checkpoint.position}")
        return rows[1:]

    async def _apply(self, stored: bytes, rows: Sequence[Record]) -> bytes:
        while rows:
            batch = rows[: self._projection.batch_size]
            state = await self._projection.load(batch)
            if state.stored != stored:
                return state.stored
            offsets = [self._progress.offset] * len(batch)
            try:
                new = await self._projection.apply(
                    state, batch, offsets, trusted=True, poison=self._refolded
                )
            except DamagedDocument as error:
                await self._refolding.refold(error.id, rewrite=True)
                self._refolded.add(error.id)
                new = None
            if new is None:
                return await self._projection.checkpoint()
            rows = rows[self._progress.position - rows[0].position + 1 :]
            stored = new
        return stored

    async def _read(self, first: int) -> Sequence[Record]:
        """Rows from position `first` on: as many as probably have MAX_READ_BYTES."""
        rows = await self._log.read(self._shard, first, self._max_rows + 1)
        size = sum(len(row.data) for row in rows) + 1
        self._max_rows = min(max(MAX_READ_BYTES * len(rows) // size, 1), self._limit)
        return rows
