"""Reads partitions back. The requests are stateless: a response is the current state of Kafka."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
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
from command_service.relay.errors import EmptyFetch
from command_service.relay.reconcile import KafkaRecordRef
from shared.contracts.ids import parse_id, placement
from shared.contracts.records import SOURCE, Headers, parse_position

_MAX_FETCH_BYTES: Final = 1 << 20
_REQUEST_SECONDS: Final = 12
_EARLIEST, _LATEST = -2, -1
_SOURCE: Final = SOURCE.encode()


class PartitionReader:
    """One partition, read through a client that all partitions share."""

    def __init__(
        self,
        clients: ReconnectingClient[AIOKafkaClient],
        topic: str,
        partition: int,
        partition_count: int,
    ) -> None:
        self._clients = clients
        self._partition = TopicPartition(topic, partition)
        self._partition_count = partition_count

    async def bounds(self) -> tuple[int, int]:
        return await self._offset(_EARLIEST), await self._offset(_LATEST)

    async def read(self, first: int, end: int) -> tuple[Sequence[KafkaRecordRef], int]:
        topics = [(self._partition.topic, [(self._partition.partition, first, _MAX_FETCH_BYTES)])]
        response = await self._request(FetchRequest(500, 1, _MAX_FETCH_BYTES, 0, topics))
        records, next_offset = self._decode(bytes(response[-1] or b""), first, end)
        if next_offset <= first:
            raise EmptyFetch(f"{self._partition} at offset {first}")
        return records, next_offset

    async def _offset(self, timestamp: int) -> int:
        topics = [(self._partition.topic, [(self._partition.partition, timestamp)])]
        return int((await self._request(OffsetRequest(-1, 0, topics)))[-1])

    async def _request(self, request: Request[Any]) -> tuple[Any, ...]:
        """The partition's part of the response. Raises the error in it, or TimeoutError."""
        client = await self._clients.get()
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                response = await client.send(await self._leader(client), request)
        except UnknownTopicOrPartitionError:
            client.force_metadata_update()
            raise
        except BaseException:
            self._clients.discard(client)
            raise
        ((_, (part,)),) = response.topics
        error = for_code(part[1])
        if error is not NoError:
            client.force_metadata_update()
            raise error(self._partition)
        return tuple(part)

    async def _leader(self, client: AIOKafkaClient) -> int:
        node = client.cluster.leader_for_partition(self._partition)
        if node is None or node == -1:
            await client.force_metadata_update()
            node = client.cluster.leader_for_partition(self._partition)
        partitions = client.cluster.partitions_for_topic(self._partition.topic) or ()
        if node is None or len(partitions) != self._partition_count:
            raise UnknownTopicOrPartitionError(self._partition)
        if node == -1:
            raise LeaderNotAvailableError(self._partition)
        return int(node)

    def _decode(self, data: bytes, first: int, end: int) -> tuple[list[KafkaRecordRef], int]:
        records: list[KafkaRecordRef] = []
        for batch in _batches(data):
            if not batch.is_control_batch:
                records += [self._decode_record(r) for r in batch if first <= r.offset < end]
            next_offset = batch.next_offset
            if next_offset >= end:
                return records, end
            first = max(first, next_offset)
        return records, first

    def _decode_record(self, record: Any) -> KafkaRecordRef:
        position, event_id = parse_event_ref(
            record.headers, self._partition.partition, self._partition_count
        )
        return KafkaRecordRef(record.offset, record.timestamp, position, event_id)


def _batches(data: bytes) -> Iterator[Any]:
    records = MemoryRecords(data)
    while records.has_next():
        yield records.next_batch()


def parse_event_ref(headers: Headers, partition: int, partition_count: int) -> tuple[int, str]:
    """Position and event id of a record that Tandem published to the partition, else (0, "").

    Every client with write access can add foreign records to a topic; they must not stop a shard.
    """
    values = dict(headers)
    position = parse_position(values.get("ce_position"))
    subject = parse_id((values.get("ce_subject") or b"").decode(errors="replace"))
    event_id = parse_id((values.get("ce_id") or b"").decode(errors="replace"))
    if not position or not event_id or not subject or values.get("ce_source") != _SOURCE:
        return 0, ""
    return (position, event_id) if placement(subject) % partition_count == partition else (0, "")
