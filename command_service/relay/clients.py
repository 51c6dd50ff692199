"""Kafka clients that are thrown away after an error and made anew."""

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
    """One client for all shards. Whoever meets an error discards the one that it used."""

    def __init__(
        self,
        start: Callable[[], Awaitable[Client]],
        end: Callable[[Client], Coroutine[Any, Any, None]],
    ) -> None:
        self._start, self._end = start, end
        self._current: Client | None = None
        self._lock = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()

    async def get(self) -> Client:
        """The client of today, started. Raises what starting it raises."""
        if self._current is None:
            async with self._lock:
                if self._current is None:
                    self._current = await self._start()
        return self._current

    def discard(self, client: Client) -> None:
        """End it; where another shard has done so already, that one's successor stays."""
        if self._current is client:
            self._current = None
            task = asyncio.get_running_loop().create_task(self._end(client))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        if self._current is not None:
            self.discard(self._current)
        if self._ending:
            await asyncio.wait(self._ending, timeout=2 * _STOP_SECONDS)


def producers(kafka: Kafka, batch_bytes: int) -> ReconnectingClient[AIOKafkaProducer]:
    """One idempotent producer; when it is discarded, every batch in flight through it fails."""

    async def start() -> AIOKafkaProducer:
        producer = kafka.producer(
            "tandem-relay", compression_type="snappy", max_batch_size=batch_bytes, linger_ms=0
        )
        await _within(producer.start(), lambda: _abandon_producer(producer))
        return producer

    return ReconnectingClient(start, _abandon_producer)


def readers(kafka: Kafka) -> ReconnectingClient[AIOKafkaClient]:
    """One client for the requests that read partitions back."""

    async def start() -> AIOKafkaClient:
        client = AIOKafkaClient(**kafka.options("tandem-relay-check"))
        await _within(client.bootstrap(), lambda: _close_client(client))
        return client

    return ReconnectingClient(start, _close_client)


async def _within(starting: Awaitable[Any], undo: Callable[[], Awaitable[None]]) -> None:
    try:
        async with asyncio.timeout(_START_SECONDS):
            await starting
    except BaseException:
        await undo()
        raise


async def _close_client(client: AIOKafkaClient) -> None:
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(_STOP_SECONDS):
            await client.close()


async def _abandon_producer(producer: AIOKafkaProducer) -> None:
    """Fail what is in flight at once and close the connections.

    `stop()` would go on sending until Kafka answers: for ever, where a topic is gone. What was
    already sent may still arrive; consumers ignore it by its position, and `check` finds it.
    """
    error = KafkaError("the producer was given up after an error")
    producer._closed = True
    producer._message_accumulator._closed = True
    producer._message_accumulator.fail_all(error)
    await _close_client(producer.client)
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(_STOP_SECONDS):
            await producer._sender.close()
