"""Sends one batch of records to a partition and says where it begins."""

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

SEND_SECONDS: Final = 12
BATCH_BYTES: Final = 512 * 1024


@dataclass(frozen=True, slots=True)
class Sent:
    """So many of the records are on their way; `base` gives the offset of the first of them."""

    count: int
    base: Awaitable[int]


class Publisher(Protocol):
    async def send(self, shard: str, records: Sequence[Record]) -> Sent:
        """Send as many of the records, from the first on, as fit a batch.

        It and `base` raise KafkaError or TimeoutError: then the batch is there or not, now or
        later, and the shard must be checked before the next send.
        """
        ...


class KafkaPublisher:
    """Publishes through a producer of its own, made anew after every error."""

    def __init__(
        self, producers: ReconnectingClient[AIOKafkaProducer], metrics: RelayMetrics
    ) -> None:
        self._producers, self._metrics = producers, metrics

    async def send(self, shard: str, records: Sequence[Record]) -> Sent:
        topic, partition = split_shard(shard)
        producer = await self._producers.get()
        try:
            async with asyncio.timeout(SEND_SECONDS):
                batch, count = _batch(producer, records)
                future = await producer.send_batch(batch, topic, partition=partition)
        except BaseException:
            self._failed(producer)
            raise
        return Sent(count, self._base(producer, future))

    async def _base(self, producer: AIOKafkaProducer, future: "asyncio.Future[Any]") -> int:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                answer = await future
        except BaseException:
            self._failed(producer)
            raise
        if answer is None:
            raise KafkaError("an acknowledgement without an offset")
        return int(answer.offset)

    def _failed(self, producer: AIOKafkaProducer) -> None:
        self._metrics.send_errors.inc()
        self._producers.discard(producer)


def _batch(producer: AIOKafkaProducer, records: Sequence[Record]) -> tuple[Any, int]:
    """A batch that holds the first `count` records; the first one always fits."""
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
