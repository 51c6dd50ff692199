"""Publishes one shard while its lease is valid: check, then read, send, compare, again."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg
import structlog
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from command_service.relay.backoff import Backoff
from command_service.relay.cursor import Cursors, NotOwner
from command_service.relay.lease import Lease
from command_service.relay.metrics import RelayMetrics
from command_service.relay.publisher import BATCH_BYTES, Publisher, Sent
from command_service.relay.reconcile import KafkaPartition, check
from shared.contracts.records import Record
from shared.contracts.shards import split_shard
from shared.event_log import EventLog, LogDivergence

MOST_ROWS: Final = 1000
FIRST_ROWS: Final = 100
_HEADER_BYTES: Final = 500
_NAP_SECONDS: Final = 0.2
_CHECK_EARLY: Final = (0.6, 1.0)
TRANSIENT_ERRORS: Final = (KafkaError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RelayContext:
    """What all shards of a relay share. `topic_missing` asks for the topics to be looked at."""

    log: EventLog
    cursors: Cursors
    publisher: Publisher
    partition: Callable[[str], KafkaPartition]
    usable: Callable[[str], bool]
    topic_missing: Callable[[], None]
    metrics: RelayMetrics
    reconcile_interval_seconds: float


class ShardLoop:
    """Ends when the shard belongs to another relay, is halted, or `stop()` was called."""

    def __init__(self, lease: Lease, around: RelayContext) -> None:
        self.lease = lease
        self.shard = lease.claim.shard
        self.position = 0  # of the event sent last; after a check, the cursor's
        self.checked = False
        self._checked_at = time.monotonic()
        self._topic = split_shard(self.shard)[0]
        self._around = around
        self._event_id = ""
        self._expected: int | None = None  # the next batch's base offset; None: check first
        self.check_due = 0.0
        self._rows_at_once = FIRST_ROWS
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._backoff = Backoff(0.05, 5)

    def wake(self) -> None:
        """There may be something to publish."""
        self._wake.set()

    def quiet(self, now: float) -> float:
        """Seconds since the last check that ended well, or since the shard was claimed."""
        return now - self._checked_at

    def stop(self) -> None:
        """Send nothing more; the batch in flight is waited for."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Whoever takes over after a death anywhere in it repeats, at most, what was in flight."""
        while not self._stopping.is_set():
            try:
                await self._once()
            except NotOwner:
                logger.warning("shard_taken_over", shard=self.shard)
                return
            except LogDivergence as fork:
                if await self._halted(fork):
                    return
            except Exception as error:
                await self._failed(error)

    async def _once(self) -> None:
        """Do what is due, or wait for something. Whatever fails in it leads to a check."""
        if not self.lease.valid() or not self._around.usable(self._topic):
            await _wait(self._stopping, _NAP_SECONDS)
        elif self._expected is None or time.monotonic() >= self.check_due:
            await self._check()
        elif self._wake.is_set():
            self._wake.clear()
            await self._publish(self._expected)
        else:
            await _wait(self._wake, self.check_due - time.monotonic())

    async def _check(self) -> None:
        self._expected = None
        around, sent = self._around, self.position
        partition = around.partition(self.shard)
        checked = await check(self.lease.claim, partition, around.cursors, around.log)
        self._backoff.reset()
        self._note(checked.cursor.position, sent)
        self.position, self._event_id = checked.cursor.position, checked.cursor.event_id
        self._expected = checked.end
        self.checked = True
        self._checked_at = time.monotonic()
        # Not all shards at the same moment, as they would be after a start: that holds up events.
        self.check_due = self._checked_at + around.reconcile_interval_seconds * random.uniform(
            *_CHECK_EARLY
        )
        self._wake.set()

    def _note(self, found: int, sent: int) -> None:
        """Records that were sent are missing: Kafka lost them, or the topic was made again."""
        self._around.metrics.checks.inc()
        if found < sent:
            self._around.metrics.went_back.inc()
            logger.warning("sent_records_missing", shard=self.shard, found=found, sent=sent)

    async def _publish(self, expected: int) -> None:
        """Send what the log holds beyond the last event sent, one batch after the other.

        From each send until its acknowledgement `_expected` is None: whatever goes wrong in
        between, a check comes before the next send.
        """
        rows = await self._read_on(self.position, self._event_id)
        self._expected = expected if rows is not None else None
        while rows:
            if not self._may_send():
                self._wake.set()
                return
            self._expected = None
            sent = await self._around.publisher.send(self.shard, rows)
            base, following = await self._acknowledged(sent, rows)
            if base != expected:
                logger.warning("offset_differs", shard=self.shard, offset=base, expected=expected)
                return
            self._advance(rows[sent.count - 1], sent.count)
            rows = following
            expected = base + sent.count
            self._expected = expected if rows is not None else None

    def _may_send(self) -> bool:
        """Asked right before each send: a relay that was paused has lost its lease."""
        in_time = time.monotonic() < self.check_due
        return in_time and self.lease.valid() and not self._stopping.is_set()

    def _advance(self, last: Record, count: int) -> None:
        self.position, self._event_id = last.position, last.event_id
        self._around.metrics.published.labels(self._topic).inc(count)

    async def _acknowledged(
        self, sent: Sent, rows: Sequence[Record]
    ) -> tuple[int, Sequence[Record] | None]:
        """The batch's base offset, and the rows after it, read while it is on its way."""
        base, following = await asyncio.gather(
            sent.base, self._following(rows, sent.count), return_exceptions=True
        )
        if isinstance(base, BaseException):
            raise base
        if isinstance(following, BaseException):
            raise following
        return base, following

    async def _following(self, rows: Sequence[Record], count: int) -> Sequence[Record] | None:
        if count < len(rows):
            return rows[count:]
        if len(rows) < self._rows_at_once:  # that was all; what comes now wakes the loop
            return []
        size = sum(len(row.data) for row in rows) // len(rows) + _HEADER_BYTES
        self._rows_at_once = max(1, min(MOST_ROWS, BATCH_BYTES // size))
        return await self._read_on(rows[-1].position, rows[-1].event_id)

    async def _read_on(self, position: int, event_id: str) -> Sequence[Record] | None:
        """The rows after that event; None where the log does not show it in its place."""
        if position == 0:
            return await self._around.log.read(self.shard, 1, self._rows_at_once)
        rows = await self._around.log.read(self.shard, position, self._rows_at_once + 1)
        if not rows or rows[0].position != position or rows[0].event_id != event_id:
            logger.warning("log_lacks_what_was_sent", shard=self.shard, position=position)
            return None
        return rows[1:]

    async def _halted(self, fork: LogDivergence) -> bool:
        """Stop the shard durably. Dying before it: the next check finds the fork again."""
        logger.error("fork_halts_shard", shard=self.shard, difference=str(fork))
        try:
            await self._around.cursors.halt(self.lease.claim, str(fork))
        except NotOwner:
            return True
        except Exception as error:
            await self._failed(error)
            return False
        return True

    async def _failed(self, error: Exception) -> None:
        self._expected = None
        seconds = self._backoff.failed()
        if isinstance(error, UnknownTopicOrPartitionError):
            self._around.topic_missing()
        self._around.metrics.failures.inc()
        if self._backoff.failures == 1:
            expected = isinstance(error, TRANSIENT_ERRORS)
            told = {"error": type(error).__name__} if expected else {"exc_info": error}
            logger.warning("publishing_failed", shard=self.shard, **told)
        await _wait(self._stopping, seconds)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Until the event is set, or for so long."""
    try:
        async with asyncio.timeout(max(seconds, 0)):
            await event.wait()
    except TimeoutError:
        return
