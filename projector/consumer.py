"""Delivers Kafka's records to the shards, from the offsets in their checkpoints.

A record that was applied may be delivered again, and one that was dropped is in the event log.
Offsets are committed to Kafka for autoscalers only, and never read.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

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
        self._idle = asyncio.Event()
        self._idle.set()
        self._seeking: asyncio.Task[None] | None = None
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

        Raises nothing: a shard that fails is rewound.
        """
        self._idle.clear()
        try:
            batch = self._group_by_shard(records)
            await asyncio.gather(*(self._deliver_to(shard, run) for shard, run in batch.items()))
        finally:
            self._idle.set()

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
        self._seeking = asyncio.create_task(self._seek(kafka, generation))

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Waits for work in progress until a timeout; later writes fail the compare-and-set."""
        shards = self._ownership.revoke()
        for shard in shards:
            self._metrics.remove_shard(shard)
        self._metrics.shards.set(0)
        waits = [self._idle.wait(), *(self._shards[shard].release() for shard in shards)]
        pending = [asyncio.ensure_future(wait) for wait in waits]
        await asyncio.wait(pending, timeout=_REVOKE_TIMEOUT_S)

    async def _seek(self, kafka: AIOKafkaConsumer, generation: int) -> None:
        """Resumes the partitions at their checkpoints, as soon as these can be read."""
        shards = sorted(self._ownership.assigned)
        pause_s = _MIN_PAUSE_S
        while self._ownership.generation == generation:
            try:
                offsets = await asyncio.gather(*map(self._acquire, shards))
            except Exception:
                self._log_failure("assignment")
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _MAX_PAUSE_S)
                continue
            if self._ownership.generation == generation:
                for shard, offset in zip(shards, offsets, strict=True):
                    self._next[shard] = offset
                    kafka.seek(_partition(shard), offset)
                kafka.resume(*map(_partition, shards))
            return

    async def _acquire(self, shard: str) -> int:
        stored, (head,) = await self._store.load(shard, [head_key(shard)])
        return self._shards[shard].acquire(stored, head)

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
        try:
            await self._shards[name].receive(arrivals)
            self._pauses_s.pop(name, None)
        except Exception:
            self._log_failure("kafka")
            pause_s = self._pauses_s.get(name, _MIN_PAUSE_S)
            self._pauses_s[name] = min(2 * pause_s, _MAX_PAUSE_S)
            self._rewind(name, arrivals[0].offset, pause_s)

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
        generation = self._ownership.generation
        asyncio.get_running_loop().call_later(pause_s, self._resume, kafka, partition, generation)

    def _resume(self, kafka: Any, partition: TopicPartition, generation: int) -> None:
        if self._ownership.generation == generation:
            kafka.resume(partition)


def _partition(shard: str) -> TopicPartition:
    return TopicPartition(*split_shard(shard))
