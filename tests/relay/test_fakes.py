"""The contracts of cursors, partitions, publishers and the event log: fakes and real servers."""

import uuid
from collections.abc import AsyncIterator
from typing import Protocol

import pytest
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from prometheus_client import CollectorRegistry

from command_service.relay.clients import create_producers, create_readers
from command_service.relay.cursor import NONE, Cursor, Cursors, PostgresCursors
from command_service.relay.database import CoalescedLog, connect, disconnect
from command_service.relay.errors import EmptyFetch, NotOwner
from command_service.relay.lease import FencingToken, Leases
from command_service.relay.metrics import RelayMetrics
from command_service.relay.partition_reader import PartitionReader
from command_service.relay.publisher import MAX_BATCH_BYTES, KafkaPublisher, Publisher
from command_service.relay.reconcile import KafkaPartition
from shared.contracts.records import Record
from shared.contracts.shards import split_shard
from shared.event_log import EventLog
from tests.relay.fakes import (
    FakeCursors,
    FakeLog,
    FakePartition,
    FakePublisher,
    event_id,
    record,
)
from tests.relay.harness import PARTITIONS, Events, Topics
from tests.support.database import Database
from tests.support.waiting import until

SHARD = "orders.3"
CURSOR = Cursor(3, 7, event_id(3), 1234)


class CursorRow(Protocol):
    """The row of one shard, and the token of its current owner."""

    cursors: Cursors
    token: FencingToken

    async def lose(self) -> None:
        """Another relay acquires the shard."""
        ...


class FakeCursorRow:
    def __init__(self) -> None:
        self._fake = FakeCursors()
        self.cursors: Cursors = self._fake
        self.token = FencingToken(SHARD, uuid.UUID(int=1), self._fake.epoch)

    async def lose(self) -> None:
        self._fake.epoch += 1


class PostgresCursorRow:
    def __init__(self, cursors: PostgresCursors, token: FencingToken, events: Events) -> None:
        self.cursors: Cursors = cursors
        self.token, self._events = token, events

    async def lose(self) -> None:
        await self._events.execute(
            "UPDATE relay_cursors SET owner = gen_random_uuid(), epoch = epoch + 1"
        )


@pytest.fixture(params=["fake", "postgres"])
async def row(
    request: pytest.FixtureRequest, migrated_database: Database, events: Events
) -> AsyncIterator[CursorRow]:
    if request.param == "fake":
        yield FakeCursorRow()
        return
    pool = connect(migrated_database.relay_url)
    await pool
    leases = await Leases(pool, uuid.uuid4(), 600, lambda: 0.0).acquire(1000, [])
    (token,) = [lease.token for lease in leases if lease.token.shard == SHARD]
    yield PostgresCursorRow(PostgresCursors(pool), token, events)
    await disconnect(pool)


async def test_a_new_shard_has_no_cursor(row: CursorRow) -> None:
    assert await row.cursors.read(row.token) == NONE


async def test_a_cursor_is_read_as_it_was_written(row: CursorRow) -> None:
    await row.cursors.write(row.token, CURSOR)
    assert await row.cursors.read(row.token) == CURSOR


async def test_a_cursor_can_be_reset(row: CursorRow) -> None:
    await row.cursors.write(row.token, CURSOR)
    await row.cursors.write(row.token, NONE)
    assert await row.cursors.read(row.token) == NONE


async def test_a_former_owner_neither_reads_nor_writes_nor_halts(row: CursorRow) -> None:
    await row.lose()
    with pytest.raises(NotOwner):
        await row.cursors.read(row.token)
    with pytest.raises(NotOwner):
        await row.cursors.write(row.token, CURSOR)
    with pytest.raises(NotOwner):
        await row.cursors.halt(row.token, "divergence")


async def test_a_halted_shard_has_no_owner(row: CursorRow) -> None:
    await row.cursors.halt(row.token, "divergence")
    with pytest.raises(NotOwner):
        await row.cursors.read(row.token)
    with pytest.raises(NotOwner):
        await row.cursors.write(row.token, CURSOR)
    with pytest.raises(NotOwner):
        await row.cursors.halt(row.token, "divergence")


class PartitionUnderTest(Protocol):
    """One partition, a publisher to it, and what damages it."""

    partition: KafkaPartition
    publisher: Publisher

    async def put_foreign_record(self) -> None: ...

    async def delete_before(self, offset: int) -> None: ...

    async def recreate(self) -> None: ...


class FakeTopic:
    def __init__(self) -> None:
        self._fake = FakePartition()
        self.partition: KafkaPartition = self._fake
        self.publisher: Publisher = FakePublisher(self._fake)

    async def put_foreign_record(self) -> None:
        self._fake.append(0)

    async def delete_before(self, offset: int) -> None:
        self._fake.delete_before(offset)

    async def recreate(self) -> None:
        self._fake.recreate()


class KafkaTopic:
    def __init__(self, partition: PartitionReader, publisher: Publisher, topics: Topics) -> None:
        self.partition: KafkaPartition = partition
        self.publisher, self._topics = publisher, topics

    async def put_foreign_record(self) -> None:
        await self._topics.put(SHARD, b"{}", [("ce_position", b"1"), ("ce_source", b"/other")])

    async def delete_before(self, offset: int) -> None:
        await self._topics.delete_records(SHARD, offset)

    async def recreate(self) -> None:
        await self._topics.delete_and_wait("orders")
        await self._topics.create("orders")

        async def recreated() -> bool:
            try:
                return await self.partition.bounds() == (0, 0)
            except KafkaError:
                return False

        await until(recreated, "the topic is recreated", seconds=20)


@pytest.fixture(params=["fake", "kafka"])
async def topic(
    request: pytest.FixtureRequest, kafka_bootstrap: str
) -> AsyncIterator[PartitionUnderTest]:
    if request.param == "fake":
        yield FakeTopic()
        return
    topics = Topics(kafka_bootstrap)
    producers = create_producers(topics.kafka, MAX_BATCH_BYTES)
    readers = create_readers(topics.kafka)
    partition = PartitionReader(readers, *split_shard(SHARD), PARTITIONS)
    topic = KafkaTopic(
        partition, KafkaPublisher(producers, RelayMetrics(CollectorRegistry())), topics
    )
    await topic.recreate()
    yield topic
    await producers.close()
    await readers.close()


@pytest.fixture
def subject() -> str:
    return Events("").subject(SHARD)


async def publish(topic: PartitionUnderTest, subject: str, *positions: int) -> int:
    """Returns the base offset."""
    records: list[Record] = [record(SHARD, p)._replace(subject=subject) for p in positions]
    batch = await topic.publisher.send(SHARD, records)
    assert batch.count == len(positions)
    return await batch.base_offset


async def read_all(topic: PartitionUnderTest, first: int, end: int) -> list[tuple[int, int, str]]:
    """Offset, position and event id of all records from `first` to `end`."""
    found = []
    while first < end:
        records, next_offset = await topic.partition.read(first, end)
        assert first < next_offset <= end
        assert all(first <= r.offset < next_offset and r.timestamp_ms > 0 for r in records)
        found += [(r.offset, r.position, r.event_id) for r in records]
        first = next_offset
    return found


async def test_a_new_partition_is_empty(topic: PartitionUnderTest) -> None:
    assert await topic.partition.bounds() == (0, 0)


async def test_a_batch_is_acknowledged_with_its_base_offset(
    topic: PartitionUnderTest, subject: str
) -> None:
    assert await publish(topic, subject, 1, 2, 3) == 0
    assert await publish(topic, subject, 4) == 3
    assert await topic.partition.bounds() == (0, 4)


async def test_published_records_are_read_back_in_offset_order(
    topic: PartitionUnderTest, subject: str
) -> None:
    await publish(topic, subject, 1, 2, 3, 4, 5)
    assert await read_all(topic, 0, 5) == [(o, o + 1, event_id(o + 1)) for o in range(5)]
    assert await read_all(topic, 2, 4) == [(2, 3, event_id(3)), (3, 4, event_id(4))]


async def test_a_foreign_record_has_neither_position_nor_event_id(
    topic: PartitionUnderTest, subject: str
) -> None:
    await publish(topic, subject, 1)
    await topic.put_foreign_record()
    await publish(topic, subject, 2)
    assert await read_all(topic, 0, 3) == [(0, 1, event_id(1)), (1, 0, ""), (2, 2, event_id(2))]


async def test_retention_moves_the_first_offset(topic: PartitionUnderTest, subject: str) -> None:
    await publish(topic, subject, 1, 2, 3)
    await topic.delete_before(2)
    assert await topic.partition.bounds() == (2, 3)
    assert await read_all(topic, 2, 3) == [(2, 3, event_id(3))]
    with pytest.raises(OffsetOutOfRangeError):
        await topic.partition.read(1, 3)


async def test_an_offset_past_the_end_is_out_of_range(
    topic: PartitionUnderTest, subject: str
) -> None:
    await publish(topic, subject, 1)
    with pytest.raises(OffsetOutOfRangeError):
        await topic.partition.read(2, 3)


async def test_the_end_offset_has_no_record(topic: PartitionUnderTest, subject: str) -> None:
    await publish(topic, subject, 1)
    with pytest.raises(EmptyFetch):
        await topic.partition.read(1, 2)


async def test_a_recreated_partition_starts_at_offset_0(
    topic: PartitionUnderTest, subject: str
) -> None:
    await publish(topic, subject, 1, 2)
    await topic.recreate()
    assert await topic.partition.bounds() == (0, 0)
    assert await publish(topic, subject, 2) == 0
    assert await read_all(topic, 0, 1) == [(0, 2, event_id(2))]


@pytest.fixture(params=["fake", "postgres"])
async def log(
    request: pytest.FixtureRequest, migrated_database: Database, events: Events
) -> AsyncIterator[tuple[EventLog, list[str]]]:
    """An event log with three events of the shard, and their ids."""
    if request.param == "fake":
        fake = FakeLog()
        fake.commit(3)
        yield fake, fake.ids
        return
    await events.commit([SHARD] * 3)
    pool = connect(migrated_database.relay_url)
    await pool
    yield CoalescedLog(pool), (await events.event_ids())[SHARD]
    await disconnect(pool)


async def test_the_event_log_returns_a_range_in_order(log: tuple[EventLog, list[str]]) -> None:
    event_log, ids = log
    for first, limit, positions in ((1, 10, [1, 2, 3]), (2, 1, [2]), (3, 5, [3]), (4, 5, [])):
        rows = await event_log.read(SHARD, first, limit)
        assert [row.position for row in rows] == positions
        assert [row.event_id for row in rows] == [ids[p - 1] for p in positions]
        assert {row.shard for row in rows} <= {SHARD}


async def test_the_event_log_returns_heads_and_ids(log: tuple[EventLog, list[str]]) -> None:
    event_log, ids = log
    assert await event_log.heads([SHARD]) == {SHARD: 3}
    assert await event_log.event_ids(SHARD, [1, 3, 4]) == {1: ids[0], 3: ids[2]}
    assert await event_log.event_ids(SHARD, [4]) == {}
