"""The views of one shard: their state is loaded, folded with records and compare-and-set."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from projector.fold import DamagedDocument, fold, mark_damaged, park, refold
from projector.generations import named_generations, new_generation, new_sweep
from projector.metrics import Metrics
from projector.store import ShardState, Store, WriteBatch, decode_state, state_keys
from projector.views.registry import Shapes, views_of_shape
from shared.contracts.ids import parse_id
from shared.contracts.records import Record
from shared.contracts.shards import split_shard
from shared.contracts.views import (
    FIRST_GENERATION,
    Checkpoint,
    ParkedEntry,
    dashboard_key,
    decode_checkpoint,
    decode_parked,
    generation_key,
    generation_order,
    parked_key,
    spare_key,
    sweep_key,
)

logger = structlog.get_logger(__name__)

MAX_BATCH_SIZE: Final = 256
"""Records that are folded into one write, if that stays within the limits of a write."""
_FILL: Final = 0.8
"""The part of these limits that the next batch is meant to need."""


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

    def __init__(self, shard: str, shapes: Shapes, store: Store, metrics: Metrics) -> None:
        self.shard = shard
        self.progress = Progress()
        self.batch_size = MAX_BATCH_SIZE
        """How many records to load and apply at a time; follows the size of the last write."""
        self._topic = split_shard(shard)[0]
        self._generation = FIRST_GENERATION
        self._shapes = shapes
        self._views = shapes[max(shapes)]
        self._store = store
        self._metrics = metrics

    async def checkpoint(self) -> bytes:
        """The stored checkpoint, b"" if there is none. Raises what the store raises."""
        stored, _ = await self._load([])
        return stored or b""

    def decode(self, stored: bytes) -> Checkpoint | None:
        """The checkpoint as stored; None if it is missing or unreadable."""
        return decode_checkpoint(stored)

    async def start(self, stored: bytes, head: int) -> bool:
        """Starts new views if there are none. Returns False if another process did.

        Keys of earlier views remain until they are swept; the new ones have another name.
        """
        own = [spare_key(self.shard), sweep_key(self.shard), dashboard_key(self.shard)]
        _, (spare, sweep, part) = await self._store.load(self.shard, own)
        if not (head or stored or spare or sweep or part):
            return await self.write(stored, WriteBatch(Checkpoint(0, -1, "")))
        names = [*named_generations(stored, spare, sweep), FIRST_GENERATION]
        checkpoint = Checkpoint(
            0, -1, "", head, new_generation(names), max(self._shapes), secrets.token_hex(4)
        )
        dropped = max(names, key=generation_order)
        writes = WriteBatch(checkpoint, {sweep_key(self.shard): new_sweep(dropped)})
        written = await self._store.write(self.shard, stored, writes)
        if written:
            self.progress.observe(checkpoint)
        return written

    async def load(self, records: Sequence[Record]) -> ShardState:
        """The state that `records` are folded into. Raises what the store raises, or ValueError."""
        while True:
            views = self._views
            stored, values = await self._load(state_keys(views, self.shard, records))
            if views is self._views:
                state = decode_state(views, records, stored, values)
                return replace(state, checkpoint=self.decode(state.stored))

    async def parked(self) -> dict[str, ParkedEntry]:
        """The entries of the parked aggregates. Raises what the store raises, or ValueError."""
        _, (stored,) = await self._load([parked_key(self.shard)])
        return decode_parked(stored)

    async def _load(self, keys: Sequence[str]) -> tuple[bytes | None, list[bytes | None]]:
        """The checkpoint, and the values of the keys in its generation."""
        while True:
            generation = self._generation
            stored, values = await self._store.load(
                self.shard, [generation_key(generation, key) for key in keys]
            )
            checkpoint = decode_checkpoint(stored)
            if checkpoint is None:
                return stored, values
            self._views = views_of_shape(self.shard, self._shapes, checkpoint.shape)
            if checkpoint.generation == generation:
                return stored, values
            self._generation = checkpoint.generation

    async def apply(
        self,
        state: ShardState,
        records: Sequence[Record],
        offsets: Sequence[int],
        *,
        trusted: bool,
        poison: Collection[str] = (),
    ) -> bytes | None:
        """Folds records that follow the state, and writes them with their checkpoint.

        `offsets`: for each record, the offset of the checkpoint that it leads to. Only the first
        records are applied if the write of all would exceed its limits. Of `trusted` records,
        which come from the event log, as many are applied as can be folded; if the first one
        cannot, it is parked. Untrusted records raise UnfoldableRecords.
        Returns the checkpoint as stored, or None if another process moved it since `load`.
        Raises DamagedDocument, unless the aggregate is in `poison`: its document is as it should
        be; TooManyParked; what the store raises: the same records may then be applied again.
        """
        count, writes = self._fold(state, records, offsets, trusted, poison)
        if not await self._write_parts(state, records[:count], writes):
            self._metrics.conflicts.inc()
            return None
        self._metrics.batches.labels(self._topic).inc()
        self._metrics.applied.labels(self._topic).inc(count)
        if trusted:
            self._metrics.caught_up.inc(count)
        return writes.encoded_checkpoint()

    async def write(self, stored: bytes, writes: WriteBatch, *, mark: bool = False) -> bool:
        """Writes if the checkpoint is still `stored`; returns whether it was.

        `mark`: the position is not new, and therefore the mark must be. Sets the new checkpoint.
        """
        checkpoint = writes.checkpoint
        if mark or checkpoint.mark:
            writes.checkpoint = replace(checkpoint, mark=secrets.token_hex(4))
        written = await self._store.write(self.shard, stored, self._in_generation(writes))
        if written:
            self.progress.observe(writes.checkpoint)
        return written

    async def _write_parts(
        self,
        state: ShardState,
        records: Sequence[Record],
        writes: WriteBatch,
        *,
        mark: bool = False,
    ) -> bool:
        """As `write`. One event can exceed the limits of a write: the erasure of a long history."""
        if state.checkpoint is None or writes.relative_size() <= 1:
            return await self.write(state.stored, writes, mark=mark)
        keys = set(state_keys(self._views, self.shard, records))
        *early, last = writes.split(state.checkpoint, keys)
        stored = state.stored
        for part in early:
            if not await self.write(stored, part):
                return False
            stored = part.encoded_checkpoint()
        return await self.write(stored, last, mark=mark)

    async def mark_damaged(self, id: str) -> None:
        """Lets reads of the document be rejected until it is refolded."""
        while parse_id(id) == id:
            state = await self.load([])
            if state.checkpoint is None or id in state.parked:
                return
            writes = mark_damaged(self._views, self.shard, state, id)
            if await self.write(state.stored, writes, mark=True):
                logger.error("document_damaged", shard=self.shard, aggregate=id)
                return

    async def load_aggregate(self, id: str) -> ShardState:
        """The state of one aggregate. Raises what the store raises, or ValueError."""
        return await self.load([_probe(self.shard, id)])

    async def refold(
        self, state: ShardState, id: str, rows: Sequence[Record], *, rewrite: bool
    ) -> tuple[bool, ParkedEntry | None]:
        """See `fold.refold`. Returns whether no process moved the checkpoint, and the entry."""
        writes = refold(self._views, self.shard, state, id, rows, rewrite=rewrite)
        entry = decode_parked(writes.values[parked_key(self.shard)]).get(id)
        if not rewrite and entry == state.parked.get(id):
            return True, entry
        probes = [_probe(self.shard, id)]
        return await self._write_parts(state, probes, writes, mark=True), entry

    def _in_generation(self, writes: WriteBatch) -> WriteBatch:
        """The writes with the keys of their checkpoint's generation."""
        generation = writes.checkpoint.generation
        if generation == FIRST_GENERATION:
            return writes
        return WriteBatch(
            writes.checkpoint,
            {generation_key(generation, key): value for key, value in writes.values.items()},
            {generation_key(generation, key): ids for key, ids in writes.added.items()},
            {generation_key(generation, key): ids for key, ids in writes.removed.items()},
            writes.spare,
        )

    def refolded_entry(
        self, state: ShardState, id: str, rows: Sequence[Record]
    ) -> ParkedEntry | None:
        """The entry that `refold` would leave."""
        writes = refold(self._views, self.shard, state, id, rows, rewrite=False)
        return decode_parked(writes.values[parked_key(self.shard)]).get(id)

    def _fold(
        self,
        state: ShardState,
        records: Sequence[Record],
        offsets: Sequence[int],
        trusted: bool,
        poison: Collection[str],
    ) -> tuple[int, WriteBatch]:
        """The number of records folded, and the writes."""
        count = len(records)
        while True:
            offset = offsets[count - 1]
            try:
                writes = fold(self._views, state, records[:count], offset)
            except Exception as error:
                if not trusted:
                    raise UnfoldableRecords(self.shard) from error
                if count == 1:
                    if isinstance(error, DamagedDocument) and error.id not in poison:
                        raise
                    return 1, self._park(state, records[0], offset, error)
                count //= 2
            else:
                size = writes.relative_size()
                fitting = max(1, min(int(_FILL * count / size), MAX_BATCH_SIZE))
                self.batch_size = fitting
                if size <= 1 or count == 1:
                    return count, writes
                count = min(fitting, count - 1)

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
        return park(self._views, state, record, offset, error)


def _probe(shard: str, id: str) -> Record:
    """For the keys of an aggregate's state."""
    return Record(shard, 0, "", "", id, None, "", None, b"")
