"""One shard: takes what Kafka gives, and turns to the log for everything that does not fit."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from projector.catch_up import CatchUp, LogDivergence, Seen
from projector.fold import fold
from projector.loaded import ShardState, keys_to_load, unpack
from projector.metrics import Metrics
from projector.store import Store
from projector.views.view import View
from shared.contracts.records import Record
from shared.contracts.shards import split_shard
from shared.contracts.views import Head, decode_checkpoint
from shared.event_log import EventLog
from shared.logging_setup import LogThrottle

logger = logging.getLogger(__name__)

# Looks without progress after which the log is asked: at once where Kafka has nothing to give.
LOOKS_WITHOUT_PROGRESS: Final = 1
LOOKS_WITH_RECORDS_WAITING: Final = 10


class Arrival(NamedTuple):
    """A record and the Kafka offset that it stands at."""

    offset: int
    record: Record


class Observation(NamedTuple):
    """A shard's checkpoint as stored, and where this process saw the views before it was read.

    `waiting`: Kafka has records that this process has not come to yet.
    """

    stored: bytes | None
    position_before: int
    waiting: bool


class Shard:
    """A shard's views are moved by `take` and by healing, by any number of processes at once.

    Each write is a compare-and-set of the checkpoint, so who comes second starts from what is
    there. While it reads the log, what Kafka gives is dropped: it stands there as well. While it
    waits for its turn to, Kafka's records are taken: the log may be away for long.
    """

    def __init__(
        self,
        name: str,
        view: View,
        store: Store,
        log: EventLog,
        metrics: Metrics,
        rewind: Callable[[str, int], None],
        turns: asyncio.Semaphore,
    ) -> None:
        """`turns` bounds how many shards read the log at a time: Kafka and health need the loop."""
        self.name = name
        self._topic = split_shard(name)[0]
        self._view = view
        self._store = store
        self._metrics = metrics
        self._rewind = rewind
        self._turns = turns
        self._seen = Seen()
        self._healing = CatchUp(name, view, store, log, metrics, self._seen)
        self._task: asyncio.Task[None] | None = None
        self._reading_log = False
        self._released = False
        self._dropped = False
        self._log_throttle = LogThrottle(60.0, time.monotonic)
        self._caught_up_at_ms: int | None = None
        self._looked = (0, 0)
        self._looks_without_progress = 0
        self.forked = False

    def own(self, stored: bytes | None, head: bytes | None) -> int:
        """This process looks after the shard from now on. Returns the offset to read from."""
        self._released = False
        checkpoint = decode_checkpoint(stored)
        if checkpoint is not None and not self._seen.lost(checkpoint):
            self._seen.see(checkpoint)
        if head is not None and self._caught_up_at_ms is None:
            self._caught_up_at_ms = Head.decode(head).caught_up_at_ms
        return 0 if checkpoint is None else checkpoint.offset + 1

    async def release(self) -> None:
        """Another process may look after it. Returns when this one's healing has ended."""
        self._released = True
        if self._task is not None:
            await asyncio.wait([self._task])

    async def take(self, arrivals: Sequence[Arrival]) -> None:
        """Applies those that follow; repeats are dropped, anything else is left to the log.

        Raises what the store raises: then the same records are to be given again.
        """
        while arrivals:
            if self._reading_log or self.forked:
                self._dropped = True
                return None
            loaded = await self._load(arrivals)
            if loaded.checkpoint is None or self._seen.lost(loaded.checkpoint):
                return self.heal("checkpoint")
            self._seen.see(loaded.checkpoint)
            run, gap = self._following(loaded.checkpoint.position, arrivals)
            if run and not await self._apply(loaded, run):
                continue
            if gap:
                self.heal("gap")
            return None
        return None

    def heal(self, reason: str) -> None:
        """Starts to bring the views up to the log, unless that is under way."""
        self._dropped = True
        if self._task is None and not self._released:
            self._metrics.heals.labels(reason).inc()
            self._task = asyncio.create_task(self._heal())

    @property
    def position(self) -> int:
        """Where this process last saw the views."""
        return self._seen.position

    def look(self, seen: Observation, head: int | None, now_ms: int) -> Head | None:
        """The look of every second, at the checkpoint and (None: not reachable) the log's head."""
        checkpoint = decode_checkpoint(seen.stored)
        position = checkpoint.position if checkpoint else 0
        stalled = head is not None and self._stalled(position, head, seen.waiting)
        if self._task is None:
            if checkpoint is None or position < seen.position_before:
                self.heal("checkpoint")
            elif self.forked:
                self.heal("fork")
            elif stalled or (head is not None and head < position):
                self.heal("behind")
        return None if head is None else self._head(position, head, now_ms)

    def _stalled(self, position: int, head: int, waiting: bool) -> bool:
        """Whether the head was known to be ahead at the last look, and nothing came since."""
        before, head_before = self._looked
        self._looked = (position, head)
        if position != before or head_before <= position:
            self._looks_without_progress = 0
            return False
        self._looks_without_progress += 1
        most = LOOKS_WITH_RECORDS_WAITING if waiting else LOOKS_WITHOUT_PROGRESS
        return self._looks_without_progress >= most

    def _head(self, position: int, head: int, now_ms: int) -> Head:
        if self._caught_up_at_ms is None or position >= head:
            self._caught_up_at_ms = now_ms
        self._metrics.lag.labels(self.name).set(max(head - position, 0))
        self._metrics.age.labels(self.name).set((now_ms - self._caught_up_at_ms) / 1000)
        return Head(head, now_ms, self._caught_up_at_ms)

    async def _load(self, arrivals: Sequence[Arrival]) -> ShardState:
        records = [arrival.record for arrival in arrivals]
        keys = keys_to_load(self._view, self.name, records)
        return unpack(self._view, records, *await self._store.load(self.name, keys))

    def _following(
        self, position: int, arrivals: Sequence[Arrival]
    ) -> tuple[Sequence[Arrival], bool]:
        """The arrivals that follow `position` one by one, and whether there is a gap after them."""
        run: list[Arrival] = []
        for arrival in arrivals:
            if arrival.record.position == position + 1:
                position += 1
                run.append(arrival)
            elif arrival.record.position > position:
                return run, True
        self._metrics.repeats.inc(len(arrivals) - len(run))
        return run, False

    async def _apply(self, loaded: ShardState, run: Sequence[Arrival]) -> bool:
        """False where the checkpoint had moved. What cannot be folded is left to the log."""
        records = [arrival.record for arrival in run]
        try:
            writes = fold(self._view, loaded, records, run[-1].offset, trusted=False)
        except Exception as error:
            logger.warning("%s: %s from Kafka; asking the log", self.name, type(error).__name__)
            self.heal("unfoldable")
            return True
        if not await self._store.write(self.name, loaded.stored, writes):
            self._metrics.misses.inc()
            return False
        self._seen.see(writes.checkpoint)
        self._metrics.batches.labels(self._topic).inc()
        self._metrics.applied.labels(self._topic).inc(len(run))
        return True

    async def _heal(self) -> None:
        """Once more as long as Kafka gave something meanwhile: it may be newer than the last read.

        After a failure Kafka gives again what was dropped, and the next look tries again.
        """
        try:
            while self._dropped and not self._released:
                self._dropped = False
                async with self._turns:
                    await self._catch_up()
            self._set_forked(False)
        except LogDivergence:
            self._set_forked(True)
            if self._log_throttle.allow("fork"):
                logger.error("%s: the log contradicts the views; this shard is halted", self.name)
        except Exception:
            self._metrics.failures.labels("log").inc()
            if self._log_throttle.allow("heal"):
                logger.warning("%s: cannot heal", self.name, exc_info=True)
            self._rewind(self.name, self._seen.offset + 1)
        finally:
            self._task = None

    async def _catch_up(self) -> None:
        self._reading_log = True
        try:
            stored: bytes | None = await self._healing.checkpoint()
            while stored is not None and not self._released:
                stored = await self._healing.step(stored)
        finally:
            self._reading_log = False

    def _set_forked(self, forked: bool) -> None:
        self.forked = forked
        self._metrics.forked.labels(self.name).set(forked)
