"""Delivers Kafka's records to the shards, from the offsets in their checkpoints.

A record that was applied may be delivered again, and one that was dropped is in the event log.
Offsets are committed to Kafka for autoscalers only, and never read.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from projector.metrics import Metrics
from projector.ownership import Ownership
from projector.shard import Arrival, Shard
from projector.store import Store
from shared.contracts.records import from_kafka
from shared.contracts.shards import shard_name, split_shard
from shared.contracts.views import head_key
from shared.logging_setup import LogThrottle

logger = structlog.get_logger(__name__)

Records = Sequence[ConsumerRecord[bytes, bytes]]

_TOPIC_PARTITION: Final = attrgetter("topic", "partition")
_MIN_PAUSE_S: Final = 0.1
_MAX_PAUSE_S: Final = 2.0
_REWIND_PAUSE_S: Final = 1.0
_REVOKE_TIMEOUT_S: Final = 3.0
_DELIVERY_TIMEOUT_S: Final = 0.2
"""How long one shard may delay the poll of the others."""


class Consumer(ConsumerRebalanceListener):  # type: ignore[misc]  # untyped in aiokafka
    """Connects a Kafka consumer, which may be replaced, with the shards."""

    def __init__(self, ownership: Ownership, store: Store, metrics: Metrics) -> None:
        self._shards: Mapping[str, Shard] = {}
        self._ownership = ownership
        self._store = store
        self._metrics = metrics
        self._kafka: AIOKafkaConsumer | None = None
        self._next: dict[str, int] = {}
        """Shard -> the offset after the last record that was delivered."""
        self._committed: dict[str, int] = {}
        self._pauses_s: dict[str, float] = {}
        self._deliveries: dict[str, asyncio.Task[None]] = {}
        self._seeking: set[asyncio.Task[None]] = set()
        self._rewinds: dict[str, asyncio.TimerHandle] = {}
        """Shard -> the end of its pause."""
        self._throttle = LogThrottle(60.0, time.monotonic)

    def use_shards(self, shards: Mapping[str, Shard]) -> None:
        """The shards to deliver to. Must be called once, before all other methods."""
        self._shards = shards

    def use_kafka(self, kafka: AIOKafkaConsumer) -> None:
        """The consumer that partitions are assigned to from now on."""
        self._kafka = kafka

    def assignment_problem(self) -> str | None:
        """Why this process is not ready for records, or None."""
        return None if self._ownership.has_assignment else "no partitions were assigned yet"

    async def deliver(self, records: Records) -> None:
        """Delivers one batch to all its shards concurrently.

        Returns after a timeout if a shard is slow, at once if its last delivery failed: its
        partition is then paused until its records are delivered. Raises nothing: a shard that
        fails is rewound.
        """
        awaited = []
        for shard, arrivals in self._group_by_shard(records).items():
            if shard in self._deliveries:
                self._rewind(shard, arrivals[0].offset, _MIN_PAUSE_S)
                continue
            task = asyncio.create_task(self._deliver_to(shard, arrivals))
            self._deliveries[shard] = task
            if shard in self._pauses_s:
                self._pause(shard)
            else:
                awaited.append(task)
        if awaited:
            await asyncio.wait(awaited, timeout=_DELIVERY_TIMEOUT_S)
        for shard in self._deliveries:
            self._pause(shard)

    async def finish(self) -> None:
        """Waits for the deliveries in progress until a timeout."""
        if self._deliveries:
            await asyncio.wait(self._deliveries.values(), timeout=_REVOKE_TIMEOUT_S)

    def rewind(self, shard: str, offset: int) -> None:
        """Delivers the shard again from `offset`, after a pause."""
        self._rewind(shard, offset, _REWIND_PAUSE_S)

    def records_pending(self, shard: str) -> bool:
        """Whether Kafka has, or may have, records of the shard that were not delivered yet."""
        kafka, offset = self._kafka, self._next.get(shard)
        if kafka is None or shard not in self._ownership.assigned:
            return False
        if offset is None:  # its checkpoint is still being read
            return True
        try:
            high = kafka.highwater(_partition(shard))
        except (IllegalStateError, AssertionError):
            return False
        return high is None or high > offset

    async def commit(self) -> None:
        """Commits the group's offsets. Nothing depends on it."""
        changed = {
            shard: offset
            for shard, offset in self._next.items()
            if shard in self._ownership.assigned and self._committed.get(shard) != offset
        }
        if self._kafka is None or not changed:
            return
        try:
            await self._kafka.commit({_partition(s): offset for s, offset in changed.items()})
            self._committed |= changed
        except (KafkaError, IllegalStateError) as error:
            logger.debug("offsets_not_committed", error=type(error).__name__)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Pauses the partitions before any await, until their checkpoints are read.

        Reading them takes as long as Redis is unavailable, and heartbeats must continue. This must
        be a coroutine function: FastStream runs any other one in a thread.
        """
        kafka = self._kafka
        assert kafka is not None
        kafka.pause(*assigned)
        generation = self._ownership.assign(shard_name(*partition) for partition in assigned)
        self._metrics.shards.set(len(assigned))
        self._next.clear()
        self._committed.clear()
        for timer in self._rewinds.values():
            timer.cancel()
        self._rewinds.clear()
        for shard in self._ownership.assigned:
            task = asyncio.create_task(self._seek(kafka, shard, generation))
            self._seeking.add(task)
            task.add_done_callback(self._seeking.discard)

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Waits for work in progress until a timeout; later writes fail the compare-and-set."""
        shards = self._ownership.revoke()
        for shard in shards:
            self._metrics.remove_shard(shard)
        self._metrics.shards.set(0)
        waits = [self.finish(), *(self._shards[shard].release() for shard in shards)]
        pending = [asyncio.ensure_future(wait) for wait in waits]
        await asyncio.wait(pending, timeout=_REVOKE_TIMEOUT_S)

    async def _seek(self, kafka: AIOKafkaConsumer, shard: str, generation: int) -> None:
        """Resumes the partition at its checkpoint, as soon as this can be read."""
        pause_s = _MIN_PAUSE_S
        while self._ownership.generation == generation:
            try:
                stored, (head,) = await self._store.load(shard, [head_key(shard)])
            except Exception:
                self._log_failure("assignment")
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _MAX_PAUSE_S)
                continue
            if self._ownership.generation == generation:
                self._next[shard] = self._shards[shard].acquire(stored, head)
                kafka.seek(_partition(shard), self._next[shard])
                self._resume(shard)
            return

    def _group_by_shard(self, records: Records) -> dict[str, list[Arrival]]:
        """The events of the assigned shards. Records of one shard are adjacent in a batch."""
        batch: dict[str, list[Arrival]] = defaultdict(list)
        for partition, run in groupby(records, key=_TOPIC_PARTITION):
            shard = shard_name(*partition)
            if shard not in self._ownership.assigned:
                continue
            arrivals = batch[shard]
            for record in run:
                event = from_kafka(shard, record.value, record.headers)
                if event is not None:
                    arrivals.append(Arrival(record.offset, event))
                else:
                    self._metrics.foreign.inc()
            self._next[shard] = record.offset + 1
        return {shard: arrivals for shard, arrivals in batch.items() if arrivals}

    async def _deliver_to(self, name: str, arrivals: Sequence[Arrival]) -> None:
        """If the store is unavailable, pauses this shard instead of delaying the others."""
        generation = self._ownership.generation
        try:
            await self._shards[name].receive(arrivals)
        except Exception:
            self._log_failure("kafka")
            pause_s = self._pauses_s.get(name, _MIN_PAUSE_S)
            self._pauses_s[name] = min(2 * pause_s, _MAX_PAUSE_S)
            if self._ownership.generation == generation:
                self._rewind(name, arrivals[0].offset, pause_s)
        else:
            self._pauses_s.pop(name, None)
        finally:
            del self._deliveries[name]
            self._resume(name)

    def _log_failure(self, at: str) -> None:
        self._metrics.failures.labels(at).inc()
        if self._throttle.allow(at):
            logger.warning("delivery_retried", at=at, exc_info=True)

    def _rewind(self, shard: str, offset: int, pause_s: float) -> None:
        kafka, partition = self._kafka, _partition(shard)
        if kafka is None or shard not in self._ownership.assigned:
            return
        try:
            kafka.pause(partition)
            kafka.seek(partition, offset)
        except IllegalStateError:
            return
        self._next[shard] = offset
        if shard in self._rewinds:
            self._rewinds.pop(shard).cancel()
        loop = asyncio.get_running_loop()
        self._rewinds[shard] = loop.call_later(pause_s, self._end_pause, shard)

    def _end_pause(self, shard: str) -> None:
        del self._rewinds[shard]
        self._resume(shard)

    def _pause(self, shard: str) -> None:
        if self._kafka is not None and shard in self._ownership.assigned:
            with suppress(IllegalStateError):
                self._kafka.pause(_partition(shard))

    def _resume(self, shard: str) -> None:
        """Unless its checkpoint, its delivery or the end of a pause is still awaited."""
        awaited = shard not in self._next or shard in self._deliveries or shard in self._rewinds
        if self._kafka is not None and shard in self._ownership.assigned and not awaited:
            with suppress(IllegalStateError):
                self._kafka.resume(_partition(shard))


def _partition(shard: str) -> TopicPartition:
    return TopicPartition(*split_shard(shard))
