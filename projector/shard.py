"""One shard: applies what Kafka delivers, and reads everything else from the event log."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import structlog

from projector.catch_up import CatchUp
from projector.fold import DamagedDocument, TooManyParked
from projector.metrics import Metrics
from projector.projection import Projection, UnfoldableRecords
from projector.refolding import Refolding
from projector.store import ShardState, Store
from projector.views.registry import Shapes
from shared.contracts.records import Record
from shared.contracts.views import Checkpoint, Head, decode_checkpoint, decode_head
from shared.event_log import AggregateLog, LogDivergence
from shared.logging_setup import LogThrottle

logger = structlog.get_logger(__name__)

# Polls without progress after which a catch-up starts: at once if Kafka has no records to deliver.
_MAX_STALLED_POLLS: Final = 1
_MAX_STALLED_POLLS_WITH_RECORDS_PENDING: Final = 10
_LOG_INTERVAL_S: Final = 60.0
_CHECKPOINT_TIMEOUT_S: Final = 1.0
"""Limits how long a shard of an unavailable Redis node delays the catch-up of the others."""


class Arrival(NamedTuple):
    """A record and its Kafka offset."""

    offset: int
    record: Record


class Observation(NamedTuple):
    """A poll's result: the stored checkpoint, and the shard's `position` before it was read.

    `records_pending`: Kafka has records that were not delivered to this process yet.
    """

    stored: bytes | None
    position_before: int
    records_pending: bool


class Shard:
    """Moves a shard's views by `receive` and by catch-up, in any number of processes at once.

    During a catch-up, records from Kafka are dropped: the event log contains them as well. While
    the catch-up waits for its turn they are applied, because the event log may be unavailable.
    """

    def __init__(
        self,
        name: str,
        shapes: Shapes,
        store: Store,
        log: AggregateLog,
        metrics: Metrics,
        rewind: Callable[[str, int], None],
        catch_up_slots: asyncio.Semaphore,
    ) -> None:
        """`shapes` are the topic's; `catch_up_slots` limits the shards that catch up concurrently.

        `rewind` makes Kafka deliver the shard again from an offset.
        """
        self.name = name
        self.diverged = False
        """Halted: the event log does not contain the event of the checkpoint."""
        self.parked_full = False
        """Halted: another aggregate would have to be parked, but the maximum is reached."""
        self._metrics = metrics
        self._rewind = rewind
        self._slots = catch_up_slots
        self._projection = Projection(name, shapes, store, metrics)
        self._progress = self._projection.progress
        self._catch_up = CatchUp(self._projection, log)
        self._refolding = Refolding(self._projection, log)
        self._task: asyncio.Task[None] | None = None
        self._retrying: asyncio.Task[None] | None = None
        self._reading_log = False
        self._dropped = False
        self._released = False
        self._caught_up_at_ms: int | None = None
        self._last_seen = (0, "")
        """Position and event id of the last record that Kafka delivered."""
        self._last_poll = (-1, 0)
        self._stalled_polls = 0
        self._throttle = LogThrottle(_LOG_INTERVAL_S, time.monotonic)

    def acquire(self, stored: bytes | None, head: bytes | None) -> int:
        """Starts to project the shard. Returns the offset to consume from.

        It is that of the checkpoint's own record, which confirms that Kafka has the same event.
        """
        self._released = False
        self._last_seen = (0, "")
        checkpoint = decode_checkpoint(stored)
        if checkpoint is not None and not self._progress.is_lost(checkpoint):
            self._progress.observe(checkpoint)
        last_head = decode_head(head)
        if last_head is not None and self._caught_up_at_ms is None:
            self._caught_up_at_ms = last_head.caught_up_at_ms
        if self._retrying is None:
            self._retrying = asyncio.create_task(self._retry_parked())
        return 0 if checkpoint is None else max(checkpoint.offset, 0)

    async def release(self) -> None:
        """Leaves the shard to another process. Returns when the catch-up in progress has ended."""
        self._released = True
        tasks = [task for task in (self._task, self._retrying) if task is not None]
        if tasks:
            await asyncio.wait(tasks)

    async def receive(self, arrivals: Sequence[Arrival]) -> None:
        """Applies those that follow the checkpoint; duplicates are dropped, gaps caught up.

        Raises what the store raises: the same records must then be delivered again.
        """
        while arrivals:
            batch = arrivals[: self._projection.batch_size]
            if not await self._receive_batch(batch):
                batch = arrivals
            self._last_seen = batch[-1].record.position, batch[-1].record.event_id
            arrivals = arrivals[len(batch) :]

    async def _receive_batch(self, arrivals: Sequence[Arrival]) -> bool:
        """Returns False if these and later records are left to a catch-up."""
        while True:
            if self._reading_log or self.diverged or self.parked_full:
                self._dropped = True
                return False
            state = await self._projection.load([arrival.record for arrival in arrivals])
            if state.checkpoint is None or self._progress.is_lost(state.checkpoint):
                self.start_catch_up("checkpoint")
                return False
            self._progress.observe(state.checkpoint)
            run, problem = self._following(state.checkpoint, arrivals)
            if run and not await self._apply(state, run):
                continue
            if problem is not None:
                self.start_catch_up(problem)
            return problem is None

    def start_catch_up(self, reason: str) -> None:
        """Starts to read the event log up to its head, unless this is in progress."""
        self._dropped = True
        if self._task is None and not self._released:
            self._metrics.catch_ups.labels(reason).inc()
            self._task = asyncio.create_task(self._run_catch_up())

    @property
    def position(self) -> int:
        """The position at which this process last saw the views."""
        return self._progress.position

    def poll(self, observed: Observation, head: int | None, now_ms: int) -> Head | None:
        """Evaluates a poll of the checkpoint and the head (None: the event log is unavailable)."""
        self._released = False  # without Kafka, this process owns the shard without an assignment
        checkpoint = decode_checkpoint(observed.stored)
        position = checkpoint.position if checkpoint else 0
        stalled = head is not None and self._is_stalled(position, head, observed.records_pending)
        if self._task is None:
            if checkpoint is None or position < observed.position_before:
                self.start_catch_up("checkpoint")
            elif self.diverged:
                self.start_catch_up("divergence")
            elif self.parked_full:
                self.start_catch_up("parked_full")
            elif stalled or (head is not None and head < position):
                self.start_catch_up("behind")
        return None if head is None else self._head(position, head, now_ms)

    def _is_stalled(self, position: int, head: int, records_pending: bool) -> bool:
        """Whether the views were behind the head at the last poll and made no progress since."""
        last_position, last_head = self._last_poll
        self._last_poll = (position, head)
        if position != last_position or last_head <= position:
            self._stalled_polls = 0
            return False
        self._stalled_polls += 1
        limit = _MAX_STALLED_POLLS_WITH_RECORDS_PENDING if records_pending else _MAX_STALLED_POLLS
        return self._stalled_polls >= limit

    def _head(self, position: int, head: int, now_ms: int) -> Head:
        if self._caught_up_at_ms is None or position >= head:
            self._caught_up_at_ms = now_ms
        self._metrics.lag.labels(self.name).set(max(head - position, 0))
        self._metrics.age.labels(self.name).set((now_ms - self._caught_up_at_ms) / 1000)
        return Head(head, now_ms, self._caught_up_at_ms)

    def _following(
        self, checkpoint: Checkpoint, arrivals: Sequence[Arrival]
    ) -> tuple[Sequence[Arrival], str | None]:
        """The arrivals that follow the checkpoint in sequence, and why a catch-up is required.

        The event log decides if Kafka has another event at the checkpoint's position, or if it is
        unknown which one Kafka has: PostgreSQL may have been restored to an older state, and the
        event log may have grown past the views since.
        """
        ids = {checkpoint.position: checkpoint.event_id}
        position, event_id = self._last_seen
        if ids.get(position, event_id) != event_id:
            return [], "mismatch"
        confirmed = checkpoint.position in (0, position)
        run: list[Arrival] = []
        for arrival in arrivals:
            position, event_id = arrival.record.position, arrival.record.event_id
            if ids.setdefault(position, event_id) != event_id:
                return [], "mismatch"
            confirmed |= position == checkpoint.position
            if position == checkpoint.position + len(run) + 1:
                if not confirmed:
                    return [], "unconfirmed"
                run.append(arrival)
            elif position > checkpoint.position + len(run):
                return run, "gap"
        self._metrics.duplicates.inc(len(arrivals) - len(run))
        return run, None

    async def _apply(self, state: ShardState, run: Sequence[Arrival]) -> bool:
        """Returns False if some were not applied, or another process moved the checkpoint."""
        records = [arrival.record for arrival in run]
        offsets = [arrival.offset for arrival in run]
        try:
            await self._projection.apply(state, records, offsets, trusted=False)
        except UnfoldableRecords as error:
            logger.warning(
                "records_unfoldable", shard=self.name, error=type(error.__cause__).__name__
            )
            if isinstance(error.__cause__, DamagedDocument):
                await self._projection.mark_damaged(error.__cause__.id)
            self.start_catch_up("unfoldable")
            return True
        return self._progress.position >= records[-1].position

    async def _run_catch_up(self) -> None:
        """Repeated while records are dropped: they may be newer than the last row that was read.

        After a failure, Kafka delivers the dropped records again, and the next poll retries.
        """
        try:
            while self._dropped and not self._released:
                self._dropped = False
                async with self._slots:
                    await self._catch_up_once()
            self._set_diverged(False)
            self._set_parked_full(False)
        except TooManyParked as error:
            self._set_parked_full(True)
            if self._throttle.allow("parked_full"):
                logger.error("shard_halted", shard=self.name, error=str(error))
        except LogDivergence as error:
            self._set_diverged(True)
            if self._throttle.allow("divergence"):
                logger.error("shard_halted", shard=self.name, error=str(error))
        except Exception:
            self._metrics.failures.labels("log").inc()
            if self._throttle.allow("catch_up"):
                logger.warning("catch_up_failed", shard=self.name, exc_info=True)
            self._rewind(self.name, max(self._progress.offset, 0))
        finally:
            self._task = None

    async def _catch_up_once(self) -> None:
        self._reading_log = True
        try:
            async with asyncio.timeout(_CHECKPOINT_TIMEOUT_S):
                stored: bytes | None = await self._projection.checkpoint()
            while stored is not None and not self._released:
                stored = await self._catch_up.step(stored)
            for id, entry in (await self._projection.parked()).items():
                if entry.events == 0:
                    await self._refolding.refold(id, rewrite=True)
        finally:
            self._reading_log = False

    async def _retry_parked(self) -> None:
        """Refolds the parked aggregates once, because this version may be able to fold them."""
        try:
            for id, entry in (await self._projection.parked()).items():
                if self._released:
                    return
                async with self._slots:
                    _, remaining = await self._refolding.refold(id)
                folded = entry.events - (remaining.events if remaining else 0)
                if folded:
                    logger.info("parked_events_folded", shard=self.name, aggregate=id, count=folded)
        except Exception:
            self._metrics.failures.labels("retry").inc()
            if self._throttle.allow("retry"):
                logger.warning("parked_retry_failed", shard=self.name, exc_info=True)
        finally:
            self._retrying = None

    def _set_parked_full(self, full: bool) -> None:
        self.parked_full = full
        self._metrics.parked_full.labels(self.name).set(full)

    def _set_diverged(self, diverged: bool) -> None:
        self.diverged = diverged
        self._metrics.divergence.labels(self.name).set(diverged)
