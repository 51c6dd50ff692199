"""The views of one shard: their state is loaded, folded with records and compare-and-set."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from projector.fold import fold, park
from projector.metrics import Metrics
from projector.store import ShardState, Store, WriteBatch, decode_state, state_keys
from projector.views.view import View
from shared.contracts.records import Record
from shared.contracts.shards import split_shard
from shared.contracts.views import Checkpoint

logger = structlog.get_logger(__name__)


class UnfoldableRecords(Exception):
    """Untrusted records that cannot be folded; the event log decides what happened."""


@dataclass(slots=True)
class Progress:
    """Position and offset of the last checkpoint that this process read or wrote."""

    position: int = 0
    offset: int = -1

    def observe(self, checkpoint: Checkpoint) -> None:
        self.position = checkpoint.position
        self.offset = checkpoint.offset

    def is_lost(self, checkpoint: Checkpoint | None) -> bool:
        """Whether the views are missing, or older than that."""
        return checkpoint is None or checkpoint.position < self.position


class Projection:
    """Applies records to a shard's views, from Kafka and from the event log alike.

    Every write is a compare-and-set of the checkpoint. Of several processes that apply the same
    records, one has an effect; a process that dies in the middle has written nothing.
    """

    def __init__(self, shard: str, views: Sequence[View], store: Store, metrics: Metrics) -> None:
        self.shard = shard
        self.progress = Progress()
        self._topic = split_shard(shard)[0]
        self._views = views
        self._store = store
        self._metrics = metrics

    async def checkpoint(self) -> bytes:
        """The stored checkpoint, b"" if there is none. Raises what the store raises."""
        stored, _ = await self._store.load(self.shard, [])
        return stored or b""

    async def load(self, records: Sequence[Record]) -> ShardState:
        """The state that `records` are folded into. Raises what the store raises, or ValueError."""
        keys = state_keys(self._views, self.shard, records)
        return decode_state(self._views, records, *await self._store.load(self.shard, keys))

    async def apply(
        self, state: ShardState, records: Sequence[Record], offset: int, *, trusted: bool
    ) -> bytes | None:
        """Folds records that follow the state, and writes them with the checkpoint and `offset`.

        Returns the checkpoint as stored, or None if another process moved it since `load`. Of
        `trusted` records, which come from the event log, as many are applied as can be folded; if
        the first one cannot, it is parked. Untrusted records raise UnfoldableRecords.
        Raises what the store raises; the same records may then be applied again.
        """
        count, writes = self._fold(state, records, offset, trusted)
        if not await self.write(state.stored, writes):
            self._metrics.conflicts.inc()
            return None
        self._metrics.batches.labels(self._topic).inc()
        self._metrics.applied.labels(self._topic).inc(count)
        if trusted:
            self._metrics.caught_up.inc(count)
        return writes.checkpoint.encode()

    async def purge(self, stored: bytes) -> bool:
        """See `Store.purge`."""
        return await self._store.purge(self.shard, stored)

    async def write(self, stored: bytes, writes: WriteBatch) -> bool:
        """Writes if the checkpoint is still `stored`; returns whether it was."""
        written = await self._store.write(self.shard, stored, writes)
        if written:
            self.progress.observe(writes.checkpoint)
        return written

    def _fold(
        self, state: ShardState, records: Sequence[Record], offset: int, trusted: bool
    ) -> tuple[int, WriteBatch]:
        """The number of records folded, and the writes."""
        count = len(records)
        while True:
            try:
                return count, fold(self._views, state, records[:count], offset, trusted=trusted)
            except Exception as error:
                if not trusted:
                    raise UnfoldableRecords(self.shard) from error
                if count == 1:
                    return 1, self._park(state, records[0], offset, error)
                count //= 2

    def _park(self, state: ShardState, record: Record, offset: int, error: Exception) -> WriteBatch:
        self._metrics.parked.labels(self._topic).inc()
        logger.error(
            "event_parked",
            shard=self.shard,
            position=record.position,
            type=record.type,
            aggregate=record.subject,
            error=type(error).__name__,
        )
        return park(self._views, state, record, offset)
