"""What Kafka gives, batch by batch, to the shards; where to read from is in their checkpoints.

A record that was taken may be given again, and one that was dropped stands in the log: Kafka's
own offsets are committed for autoscalers to look at, and never read.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

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

logger = logging.getLogger(__name__)

Records = Sequence[ConsumerRecord[bytes, bytes]]

_PLACE: Final = attrgetter("topic", "partition")
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
_REWIND_PAUSE: Final = 1.0
_REVOKE_SECONDS: Final = 3.0


class Consumer(ConsumerRebalanceListener):  # type: ignore[misc]  # untyped in aiokafka
    """Stands between one Kafka consumer, which may be replaced, and the shards."""

    def __init__(self, ownership: Ownership, store: Store, metrics: Metrics) -> None:
        self._shards: Mapping[str, Shard] = {}
        self._ownership = ownership
        self._store = store
        self._metrics = metrics
        self._kafka: AIOKafkaConsumer | None = None
        self._next: dict[str, int] = {}
        self._committed: dict[str, int] = {}
        self._pauses: dict[str, float] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._seeking: asyncio.Task[None] | None = None
        self._log_throttle = LogThrottle(60.0, time.monotonic)

    def serve(self, shards: Mapping[str, Shard]) -> None:
        """The shards that records go to; to be called once, before anything else."""
        self._shards = shards

    def not_ready(self) -> str | None:
        """Why this process cannot take records, or None."""
        return None if self._ownership.known else "no partitions were assigned yet"

    def use(self, kafka: AIOKafkaConsumer) -> None:
        """The consumer that partitions come from, from now on."""
        self._kafka = kafka

    async def handle(self, records: Records) -> None:
        """One batch, all its shards at once. Raises nothing: a shard that failed is rewound."""
        self._idle.clear()
        try:
            batch = self._by_shard(records)
            await asyncio.gather(*(self._give(shard, given) for shard, given in batch.items()))
        finally:
            self._idle.set()

    def rewind(self, shard: str, offset: int) -> None:
        """Read the shard again from `offset`, in a while."""
        self._rewind(shard, offset, _REWIND_PAUSE)

    def waiting(self, shard: str) -> bool:
        """Whether Kafka has, or may have, records of the shard that were not given yet."""
        kafka, reached = self._kafka, self._next.get(shard)
        if kafka is None or shard not in self._ownership.assigned:
            return False
        if reached is None:  # its checkpoint is still being read
            return True
        try:
            high = kafka.highwater(_partition(shard))
        except (IllegalStateError, AssertionError):
            return False
        return high is None or high > reached

    async def commit(self) -> None:
        """Tells Kafka how far the group is. Nothing depends on it."""
        ahead = {
            shard: reached
            for shard, reached in self._next.items()
            if shard in self._ownership.assigned and self._committed.get(shard) != reached
        }
        if self._kafka is None or not ahead:
            return
        try:
            await self._kafka.commit({_partition(s): reached for s, reached in ahead.items()})
            self._committed |= ahead
        except (KafkaError, IllegalStateError) as error:
            logger.debug("not committed: %s", type(error).__name__)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Nothing is fetched before the checkpoints are read: pause first, before any await.

        Reading them may take as long as Redis is away, and heartbeats must go on meanwhile. Has to
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
        """Waits, a while, for what is in flight. What is not awaited loses its compare-and-set."""
        shards = self._ownership.revoke()
        for shard in shards:
            self._metrics.forget(shard)
        self._metrics.shards.set(0)
        waits = [self._idle.wait(), *(self._shards[shard].release() for shard in shards)]
        pending = [asyncio.ensure_future(wait) for wait in waits]
        await asyncio.wait(pending, timeout=_REVOKE_SECONDS)

    async def _seek(self, kafka: AIOKafkaConsumer, generation: int) -> None:
        """Read on from the checkpoints, as soon as they can be read."""
        shards = sorted(self._ownership.assigned)
        pause = _FIRST_PAUSE
        while self._ownership.generation == generation:
            try:
                starts = await asyncio.gather(*map(self._own, shards))
            except Exception as error:
                self._failed("assignment", error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            if self._ownership.generation == generation:
                for shard, start in zip(shards, starts, strict=True):
                    self._next[shard] = start
                    kafka.seek(_partition(shard), start)
                kafka.resume(*map(_partition, shards))
            return

    async def _own(self, shard: str) -> int:
        stored, (head,) = await self._store.load(shard, [head_key(shard)])
        return self._shards[shard].own(stored, head)

    def _by_shard(self, records: Records) -> dict[str, list[Arrival]]:
        """The events of the shards that are this process's. A batch has whole runs of a shard."""
        batch: dict[str, list[Arrival]] = defaultdict(list)
        for place, run in groupby(records, key=_PLACE):
            shard = shard_name(*place)
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

    async def _give(self, name: str, arrivals: Sequence[Arrival]) -> None:
        """A store that is away is waited for by pausing the shard, not by holding up the others."""
        try:
            await self._shards[name].take(arrivals)
            self._pauses.pop(name, None)
        except Exception as error:
            self._failed("kafka", error)
            pause = self._pauses.get(name, _FIRST_PAUSE)
            self._pauses[name] = min(2 * pause, _LONGEST_PAUSE)
            self._rewind(name, arrivals[0].offset, pause)

    def _failed(self, at: str, error: Exception) -> None:
        self._metrics.failures.labels(at).inc()
        if self._log_throttle.allow(at):
            logger.warning("%s failed, trying again: %s", at, type(error).__name__, exc_info=True)

    def _rewind(self, shard: str, offset: int, pause: float) -> None:
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
        asyncio.get_running_loop().call_later(pause, self._resume, kafka, partition, generation)

    def _resume(self, kafka: Any, partition: TopicPartition, generation: int) -> None:
        if self._ownership.generation == generation:
            kafka.resume(partition)


def _partition(shard: str) -> TopicPartition:
    return TopicPartition(*split_shard(shard))
