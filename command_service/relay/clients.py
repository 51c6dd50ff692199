"""Kafka clients that are discarded after an error and replaced."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Generic, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from shared.kafka.clients import Kafka

_START_SECONDS: Final = 15
_STOP_SECONDS: Final = 3
Client = TypeVar("Client")


class ReconnectingClient(Generic[Client]):
    """One client for all shards. After an error a shard discards the client that it used."""

    def __init__(
        self,
        start: Callable[[], Awaitable[Client]],
        stop: Callable[[Client], Coroutine[Any, Any, None]],
    ) -> None:
        self._start, self._stop = start, stop
        self._current: Client | None = None
        self._lock = asyncio.Lock()
        self._stopping: set[asyncio.Task[None]] = set()

    async def get(self) -> Client:
        """The current client, started. Raises what starting it raises."""
        if self._current is None:
            async with self._lock:
                if self._current is None:
                    self._current = await self._start()
        return self._current

    def discard(self, client: Client) -> None:
        """Stop the client; if another shard discarded it already, its successor is kept."""
        if self._current is client:
            self._current = None
            task = asyncio.get_running_loop().create_task(self._stop(client))
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)

    async def close(self) -> None:
        if self._current is not None:
            self.discard(self._current)
        if self._stopping:
            await asyncio.wait(self._stopping, timeout=2 * _STOP_SECONDS)


def create_producers(kafka: Kafka, max_batch_bytes: int) -> ReconnectingClient[AIOKafkaProducer]:
    """An idempotent producer. Discarding it fails every batch in flight."""

    async def start() -> AIOKafkaProducer:
        producer = kafka.producer(
            "tandem-relay", compression_type="snappy", max_batch_size=max_batch_bytes, linger_ms=0
        )
        await _start(producer.start(), lambda: _abort_producer(producer))
        return producer

    return ReconnectingClient(start, _abort_producer)


def create_readers(kafka: Kafka) -> ReconnectingClient[AIOKafkaClient]:
    """A client for the requests of PartitionReader."""

    async def start() -> AIOKafkaClient:
        client = AIOKafkaClient(**kafka.options("tandem-relay-reader"))
        await _start(client.bootstrap(), lambda: _close_client(client))
        return client

    return ReconnectingClient(start, _close_client)


async def _start(starting: Awaitable[Any], abort: Callable[[], Awaitable[None]]) -> None:
    try:
        async with asyncio.timeout(_START_SECONDS):
            await starting
    except BaseException:
        await abort()
        raise


async def _close_client(client: AIOKafkaClient) -> None:
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(_STOP_SECONDS):
            await client.close()


async def _abort_producer(producer: AIOKafkaProducer) -> None:
    """Fail the batches in flight and close the connections.

    `stop()` would send until Kafka acknowledges: indefinitely, if a topic was deleted. A batch that
    was already sent may arrive later; consumers skip duplicates, and `reconcile` finds it.
    """
    error = KafkaError("the producer was discarded after an error")
    producer._closed = True
    producer._message_accumulator._closed = True
    producer._message_accumulator.fail_all(error)
    await _close_client(producer.client)
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(_STOP_SECONDS):
            await producer._sender.close()
