"""Sends one batch of records to a partition and returns its base offset."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from command_service.relay.clients import ReconnectingClient
from command_service.relay.metrics import RelayMetrics
from shared.contracts.records import Record, to_headers
from shared.contracts.shards import split_shard

_SEND_SECONDS: Final = 12
MAX_BATCH_BYTES: Final = 512 * 1024


@dataclass(frozen=True, slots=True)
class BatchInFlight:
    """The first `count` of the records. `base_offset` is that of the first, once acknowledged."""

    count: int
    base_offset: Awaitable[int]


class Publisher(Protocol):
    async def send(self, shard: str, records: Sequence[Record]) -> BatchInFlight:
        """Send as many of the records, from the first on, as fit into a batch.

        This method and `base_offset` raise KafkaError or TimeoutError. The batch may then arrive
        now, later or not at all, so the shard must be reconciled before the next send.
        """
        ...


class KafkaPublisher:
    """Sends through a producer that is replaced after every error."""

    def __init__(
        self, producers: ReconnectingClient[AIOKafkaProducer], metrics: RelayMetrics
    ) -> None:
        self._producers, self._metrics = producers, metrics

    async def send(self, shard: str, records: Sequence[Record]) -> BatchInFlight:
        topic, partition = split_shard(shard)
        producer = await self._producers.get()
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                batch, count = _build_batch(producer, records)
                future = await producer.send_batch(batch, topic, partition=partition)
        except BaseException:
            self._discard(producer)
            raise
        return BatchInFlight(count, self._base_offset(producer, future))

    async def _base_offset(self, producer: AIOKafkaProducer, future: "asyncio.Future[Any]") -> int:
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                metadata = await future
        except BaseException:
            self._discard(producer)
            raise
        if metadata is None:
            raise KafkaError("an acknowledgement without an offset")
        return int(metadata.offset)

    def _discard(self, producer: AIOKafkaProducer) -> None:
        self._metrics.produce_errors.inc()
        self._producers.discard(producer)


def _build_batch(producer: AIOKafkaProducer, records: Sequence[Record]) -> tuple[Any, int]:
    """A batch of the first `count` records; the first one always fits."""
    batch = producer.create_batch()
    count = 0
    for record in records:
        added = batch.append(
            timestamp=None,
            key=record.subject.encode(),
            value=record.data,
            headers=to_headers(record),
        )
        if added is None:
            break
        count += 1
    return batch, count
