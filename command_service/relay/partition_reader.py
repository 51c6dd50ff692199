"""Reads partitions back: stateless requests, so that each answer is how Kafka is now."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    KafkaError,
    LeaderNotAvailableError,
    NoError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.api import Request
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from command_service.relay.clients import ReconnectingClient
from command_service.relay.reconcile import Seen
from shared.contracts.ids import parse_id, placement
from shared.contracts.records import SOURCE, Headers, parse_position

_FETCH_BYTES: Final = 1 << 20
_ASK_SECONDS: Final = 12
_EARLIEST, _LATEST = -2, -1
_SOURCE: Final = SOURCE.encode()


class NothingThere(KafkaError):  # type: ignore[misc]
    """Kafka gave no record where it said there is one. Passes by itself, or with the next check."""

    retriable = True


class PartitionReader:
    """One partition, through a client that all partitions share."""

    def __init__(
        self,
        clients: ReconnectingClient[AIOKafkaClient],
        topic: str,
        partition: int,
        partitions: int,
    ) -> None:
        self._clients = clients
        self._at = TopicPartition(topic, partition)
        self._partitions = partitions

    async def bounds(self) -> tuple[int, int]:
        return await self._offset(_EARLIEST), await self._offset(_LATEST)

    async def read(self, first: int, end: int) -> tuple[Sequence[Seen], int]:
        asked = [(self._at.topic, [(self._at.partition, first, _FETCH_BYTES)])]
        answer = await self._ask(FetchRequest(500, 1, _FETCH_BYTES, 0, asked))
        records, next_offset = self._decode(bytes(answer[-1] or b""), first, end)
        if next_offset <= first:
            raise NothingThere(f"{self._at} at {first}")
        return records, next_offset

    async def _offset(self, which: int) -> int:
        asked = [(self._at.topic, [(self._at.partition, which)])]
        answer = await self._ask(OffsetRequest(-1, 0, asked))
        return int(answer[-1])

    async def _ask(self, request: Request[Any]) -> tuple[Any, ...]:
        """The partition's part of the answer. Raises the error that it holds, or TimeoutError."""
        client = await self._clients.get()
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                answer = await client.send(await self._leader(client), request)
        except UnknownTopicOrPartitionError:
            client.force_metadata_update()
            raise
        except BaseException:
            self._clients.discard(client)
            raise
        ((_, (part,)),) = answer.topics
        error = for_code(part[1])
        if error is not NoError:
            client.force_metadata_update()
            raise error(self._at)
        return tuple(part)

    async def _leader(self, client: AIOKafkaClient) -> int:
        node = client.cluster.leader_for_partition(self._at)
        if node is None or node == -1:
            await client.force_metadata_update()
            node = client.cluster.leader_for_partition(self._at)
        known = client.cluster.partitions_for_topic(self._at.topic) or ()
        if node is None or len(known) != self._partitions:  # missing, or made in another way
            raise UnknownTopicOrPartitionError(self._at)
        if node == -1:
            raise LeaderNotAvailableError(self._at)
        return int(node)

    def _decode(self, data: bytes, first: int, end: int) -> tuple[list[Seen], int]:
        seen: list[Seen] = []
        for batch in _batches(data):
            if not batch.is_control_batch:
                seen += [self._see(r) for r in batch if first <= r.offset < end]
            next_offset = batch.next_offset
            if next_offset >= end:
                return seen, end
            first = max(first, next_offset)
        return seen, first

    def _see(self, record: Any) -> Seen:
        position, event_id = ours(record.headers, self._at.partition, self._partitions)
        return Seen(record.offset, record.timestamp, position, event_id)


def _batches(data: bytes) -> Iterator[Any]:
    records = MemoryRecords(data)
    while records.has_next():
        yield records.next_batch()


def ours(headers: Headers, partition: int, partitions: int) -> tuple[int, str]:
    """Position and event id of a record that Tandem published there, else (0, "").

    Anybody with the right to write can put foreign records on a topic; they stop nobody.
    """
    found = dict(headers)
    position = parse_position(found.get("ce_position"))
    subject = parse_id((found.get("ce_subject") or b"").decode(errors="replace"))
    event_id = parse_id((found.get("ce_id") or b"").decode(errors="replace"))
    if not position or not event_id or not subject or found.get("ce_source") != _SOURCE:
        return 0, ""
    return (position, event_id) if placement(subject) % partitions == partition else (0, "")
