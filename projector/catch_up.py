"""Brings a shard's views up to the log, the truth, from wherever they are."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from projector.fold import fold, park
from projector.loaded import ShardState, keys_to_load, unpack
from projector.metrics import Metrics
from projector.store import Store
from projector.views.view import View
from projector.writes import WriteBatch
from shared.contracts.records import Record
from shared.contracts.shards import split_shard
from shared.contracts.views import Checkpoint, decode_checkpoint
from shared.event_log import EventLog

logger = logging.getLogger(__name__)

ROWS: Final = 1000


class LogDivergence(Exception):
    """The log lacks the event that the views are at: it is not the log they were made of."""


@dataclass(slots=True)
class Seen:
    """The highest position that this process saw the shard's views at, and the offset there."""

    position: int = 0
    offset: int = -1

    def see(self, checkpoint: Checkpoint) -> None:
        self.position = checkpoint.position
        self.offset = checkpoint.offset

    def lost(self, checkpoint: Checkpoint | None) -> bool:
        """Whether the views are missing, or further back than they once were."""
        return checkpoint is None or checkpoint.position < self.position


class CatchUp:
    """One shard's way back. Any step may be the last one before a crash: the next starts anew."""

    def __init__(
        self, shard: str, view: View, store: Store, log: EventLog, metrics: Metrics, seen: Seen
    ) -> None:
        self._shard = shard
        self._topic = split_shard(shard)[0]
        self._view = view
        self._store = store
        self._log = log
        self._metrics = metrics
        self._seen = seen

    async def checkpoint(self) -> bytes:
        """The checkpoint to start from, as it is stored."""
        stored, _ = await self._store.load(self._shard, [])
        return stored or b""

    async def step(self, stored: bytes) -> bytes | None:
        """Goes on from this checkpoint. Returns the next one, or None at the log's end.

        Raises LogDivergence, and what store and log raise.
        """
        checkpoint = decode_checkpoint(stored)
        if checkpoint is None:
            return await self._begin(stored)
        if self._seen.lost(checkpoint):
            return await self._set_target(stored, checkpoint, self._seen.position)
        self._seen.see(checkpoint)
        rows = await self._following(checkpoint)
        if rows:
            return await self._apply(stored, rows)
        if checkpoint.target:
            return await self._set_target(stored, checkpoint, 0)
        return None

    async def _begin(self, stored: bytes) -> bytes:
        """From nothing: what may be left of the views goes first, for a fold adds to what it finds.

        Until the log's present head is reached, reads are told that the views are not there.
        """
        head = (await self._log.heads([self._shard]))[self._shard]
        if await self._store.purge(self._shard, stored):
            writes = WriteBatch(Checkpoint(0, -1, "", target=head))
            if await self._store.write(self._shard, stored, writes):
                self._seen.see(writes.checkpoint)
                return writes.checkpoint.encode()
        return await self.checkpoint()

    async def _set_target(self, stored: bytes, checkpoint: Checkpoint, target: int) -> bytes:
        """Tells reads that the views were further once, or (0) that the log has no more."""
        target = max(target, checkpoint.target) if target else 0
        told = Checkpoint(checkpoint.position, checkpoint.offset, checkpoint.event_id, target)
        if not await self._store.write(self._shard, stored, WriteBatch(told)):
            return await self.checkpoint()
        self._seen.see(told)
        return told.encode()

    async def _following(self, checkpoint: Checkpoint) -> Sequence[Record]:
        """The log's rows after the checkpoint, once its own row is the one it names."""
        if checkpoint.position == 0:
            return await self._log.read(self._shard, 1, ROWS)
        rows = await self._log.read(self._shard, checkpoint.position, ROWS + 1)
        if (
            not rows
            or rows[0].position != checkpoint.position
            or rows[0].event_id != checkpoint.event_id
        ):
            raise LogDivergence(f"{self._shard} at {checkpoint.position}")
        return rows[1:]

    async def _apply(self, stored: bytes, rows: Sequence[Record]) -> bytes:
        keys = keys_to_load(self._view, self._shard, rows)
        loaded = unpack(self._view, rows, *await self._store.load(self._shard, keys))
        if loaded.stored != stored:
            return loaded.stored
        count, writes = self._fold(loaded, rows)
        if not await self._store.write(self._shard, stored, writes):
            self._metrics.misses.inc()
            return await self.checkpoint()
        self._seen.see(writes.checkpoint)
        self._metrics.batches.labels(self._topic).inc()
        self._metrics.applied.labels(self._topic).inc(count)
        self._metrics.healed.inc(count)
        return writes.checkpoint.encode()

    def _fold(self, loaded: ShardState, rows: Sequence[Record]) -> tuple[int, WriteBatch]:
        """As many rows as can be folded; where the first one cannot, it is parked."""
        count = len(rows)
        while True:
            try:
                return count, fold(
                    self._view, loaded, rows[:count], self._seen.offset, trusted=True
                )
            except Exception as error:
                if count == 1:
                    return 1, self._park(loaded, rows[0], error)
                count //= 2

    def _park(self, loaded: ShardState, record: Record, error: Exception) -> WriteBatch:
        self._metrics.parked.labels(self._topic).inc()
        logger.error(
            "parked %s at %d of %s, aggregate %s: %s",
            record.type,
            record.position,
            self._shard,
            record.subject,
            type(error).__name__,
        )
        return park(self._view, loaded, record, self._seen.offset)
