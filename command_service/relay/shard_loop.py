"""Publishes one shard while its lease is valid: reconcile, then read, send, compare, repeat."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from aiokafka.errors import UnknownTopicOrPartitionError

from command_service.relay.cursor import Cursors
from command_service.relay.errors import TRANSIENT_ERRORS, NotOwner
from command_service.relay.lease import Clock, Lease
from command_service.relay.metrics import RelayMetrics
from command_service.relay.publisher import MAX_BATCH_BYTES, BatchInFlight, Publisher
from command_service.relay.reconcile import KafkaPartition, reconcile
from command_service.relay.retry import Backoff, wait_until_set
from shared.contracts.records import Record
from shared.contracts.shards import split_shard
from shared.event_log import EventLog, LogDivergence

MAX_ROWS: Final = 1000
INITIAL_ROWS: Final = 100
_HEADER_BYTES: Final = 500
_IDLE_SECONDS: Final = 0.2
_INTERVAL_JITTER: Final = (0.6, 1.0)
logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RelayContext:
    """What all shards of a relay share. `request_topic_poll`: a shard found its topic missing."""

    log: EventLog
    cursors: Cursors
    publisher: Publisher
    partition: Callable[[str], KafkaPartition]
    topic_is_usable: Callable[[str], bool]
    request_topic_poll: Callable[[], None]
    metrics: RelayMetrics
    reconcile_interval_seconds: float
    clock: Clock = time.monotonic


class ShardLoop:
    """Ends when another relay owns the shard, when it is halted, or after `stop()`."""

    def __init__(self, lease: Lease, context: RelayContext) -> None:
        self.lease = lease
        self.shard = lease.token.shard
        self.position = 0  # of the last event sent; after a reconciliation, of the cursor
        self.reconciled = False
        self.reconcile_due = 0.0
        self._context = context
        self._reconciled_at = context.clock()
        self._topic = split_shard(self.shard)[0]
        self._event_id = ""
        self._expected_offset: int | None = None  # of the next batch; None: reconcile first
        self._max_rows = INITIAL_ROWS
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._backoff = Backoff(0.05, 5)

    def wake(self) -> None:
        """The event log may have new events."""
        self._wake.set()

    def seconds_since_reconciled(self) -> float:
        """Since the last successful reconciliation, or since the shard was acquired."""
        return self._context.clock() - self._reconciled_at

    def stop(self) -> None:
        """Send nothing more; the batch in flight is awaited."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """After a crash at any point the next owner publishes at most one batch a second time."""
        while not self._stopping.is_set():
            try:
                await self._step()
            except NotOwner:
                logger.warning("shard_lost", shard=self.shard)
                return
            except LogDivergence as divergence:
                if await self._halt(divergence):
                    return
            except Exception as error:
                await self._back_off(error)

    async def _step(self) -> None:
        """Do what is due, or wait for it. Any failure in it leads to a reconciliation."""
        if not self.lease.is_valid() or not self._context.topic_is_usable(self._topic):
            await wait_until_set(self._stopping, _IDLE_SECONDS)
        elif self._expected_offset is None or self._context.clock() >= self.reconcile_due:
            await self._reconcile()
        elif self._wake.is_set():
            self._wake.clear()
            await self._publish(self._expected_offset)
        else:
            await wait_until_set(self._wake, self.reconcile_due - self._context.clock())

    async def _reconcile(self) -> None:
        self._expected_offset = None
        context, sent = self._context, self.position
        partition = context.partition(self.shard)
        result = await reconcile(self.lease.token, partition, context.cursors, context.log)
        self._backoff.reset()
        self._report(result.cursor.position, sent)
        self.position, self._event_id = result.cursor.position, result.cursor.event_id
        self._expected_offset = result.end
        self.reconciled = True
        self._reconciled_at = context.clock()
        # Spread over the interval: reconciling all shards at the same time would delay events.
        self.reconcile_due = self._reconciled_at + (
            context.reconcile_interval_seconds * random.uniform(*_INTERVAL_JITTER)
        )
        self._wake.set()

    def _report(self, position: int, sent: int) -> None:
        """A position below the one sent: Kafka lost records, or the topic was recreated."""
        self._context.metrics.reconciliations.inc()
        if position < sent:
            self._context.metrics.cursor_resets.inc()
            logger.warning(
                "published_records_missing", shard=self.shard, position=position, sent=sent
            )

    async def _publish(self, expected: int) -> None:
        """Send the events after the last one sent, batch by batch.

        From each send until its acknowledgement `_expected_offset` is None: after any failure in
        between, a reconciliation precedes the next send.
        """
        rows = await self._read_after(self.position, self._event_id)
        self._expected_offset = expected if rows is not None else None
        while rows:
            if not self._may_send():
                self._wake.set()
                return
            self._expected_offset = None
            batch = await self._context.publisher.send(self.shard, rows)
            base, next_rows = await self._await_acknowledgement(batch, rows)
            if base != expected:
                logger.warning(
                    "base_offset_unexpected", shard=self.shard, offset=base, expected=expected
                )
                return
            self._advance(rows[batch.count - 1], batch.count)
            rows = next_rows
            expected = base + batch.count
            self._expected_offset = expected if rows is not None else None

    def _may_send(self) -> bool:
        """Checked right before each send: a relay that was paused has lost its lease."""
        due = self._context.clock() >= self.reconcile_due
        return not due and self.lease.is_valid() and not self._stopping.is_set()

    def _advance(self, last: Record, count: int) -> None:
        self.position, self._event_id = last.position, last.event_id
        self._context.metrics.published.labels(self._topic).inc(count)

    async def _await_acknowledgement(
        self, batch: BatchInFlight, rows: Sequence[Record]
    ) -> tuple[int, Sequence[Record] | None]:
        """The base offset of the batch, and the rows after it, which are read concurrently."""
        base, next_rows = await asyncio.gather(
            batch.base_offset, self._next_rows(rows, batch.count), return_exceptions=True
        )
        if isinstance(base, BaseException):
            raise base
        if isinstance(next_rows, BaseException):
            raise next_rows
        return base, next_rows

    async def _next_rows(self, rows: Sequence[Record], sent: int) -> Sequence[Record] | None:
        if sent < len(rows):
            return rows[sent:]
        if len(rows) < self._max_rows:  # the head was reached; a new event wakes the loop
            return []
        size = sum(len(row.data) for row in rows) // len(rows) + _HEADER_BYTES
        self._max_rows = max(1, min(MAX_ROWS, MAX_BATCH_BYTES // size))
        return await self._read_after(rows[-1].position, rows[-1].event_id)

    async def _read_after(self, position: int, event_id: str) -> Sequence[Record] | None:
        """The rows after the event; None if the event log does not have it at that position."""
        if position == 0:
            return await self._context.log.read(self.shard, 1, self._max_rows)
        rows = await self._context.log.read(self.shard, position, self._max_rows + 1)
        if not rows or rows[0].position != position or rows[0].event_id != event_id:
            logger.warning("sent_event_missing", shard=self.shard, position=position)
            return None
        return rows[1:]

    async def _halt(self, divergence: LogDivergence) -> bool:
        """Halt the shard durably. After a crash before it, the next reconciliation does it."""
        logger.error("shard_halted", shard=self.shard, error=str(divergence))
        try:
            await self._context.cursors.halt(self.lease.token, str(divergence))
        except NotOwner:
            return True
        except Exception as error:
            await self._back_off(error)
            return False
        return True

    async def _back_off(self, error: Exception) -> None:
        self._expected_offset = None
        delay = self._backoff.next_delay()
        if isinstance(error, UnknownTopicOrPartitionError):
            self._context.request_topic_poll()
        self._context.metrics.failures.inc()
        if self._backoff.failures == 1:
            transient = isinstance(error, TRANSIENT_ERRORS)
            details = {"error": type(error).__name__} if transient else {"exc_info": error}
            logger.warning("publishing_failed", shard=self.shard, **details)
        await wait_until_set(self._stopping, delay)
