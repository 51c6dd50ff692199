"""Counts that must not grow: statements, round trips, requests and bytes.

Rates depend on the machine, so `make bench` measures them; counts do not.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from statistics import mean

import asyncpg
import pytest
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from benchmarks.bulk_loader import BulkLoader
from benchmarks.log_segments import RecordBatch, read_record_batches
from benchmarks.round_trips import RoundTripCounter, count_round_trips
from command_service.commands.command import Context
from command_service.commands.place_order import COMMAND, OrderLine, PlaceOrder
from command_service.ids import colocated_id, random_id
from command_service.write_store.pending_command import PendingCommand
from command_service.write_store.results import Accepted
from command_service.write_store.transactions import Transactions
from projector.metrics import Metrics as ProjectorMetrics
from projector.redis_store import RedisStore
from projector.shard import Arrival, Shard
from projector.views.registry import SHAPES
from query_service.live.event_stream import Streams
from query_service.main import query_dependencies
from query_service.metrics import Metrics, StreamMetrics
from query_service.positions import Positions
from query_service.redis_reader import RedisReader, fetch_values
from query_service.watcher import Watcher
from shared.contracts.shards import DEFAULT_PARTITIONS, all_shards, shard_of, split_shard
from shared.contracts.views import Checkpoint, checkpoint_key, document_key, pack_document
from shared.event_log import PostgresEventLog
from shared.redis.clients import redis_client
from tests.relay.harness import InProcessRelay, settings
from tests.support.database import Database
from tests.support.servers import Kafka, Valkey
from tests.support.topics import delete_topics
from tests.support.waiting import until

MAX_STATEMENTS_PER_BATCH = 6  # BEGIN, customers, products, state, log, COMMIT
MAX_BYTES_PER_EVENT = 175  # compressed, in large batches


@pytest.fixture
async def loader(migrated_database: Database) -> AsyncIterator[BulkLoader]:
    admin = await asyncpg.connect(migrated_database.admin_url)
    loader = BulkLoader(admin)
    await loader.load_shop(customers=100, products=300)
    yield loader
    await admin.close()


@pytest.fixture
async def round_trips(valkey: Valkey) -> AsyncIterator[RoundTripCounter]:
    async with Redis.from_url(valkey.url()) as admin:
        await admin.flushall()
    async with count_round_trips(valkey.port) as proxy:
        yield proxy


def _through(proxy: RoundTripCounter, valkey: Valkey, role: str) -> str:
    return valkey.url(role).replace(f":{valkey.port}/", f":{proxy.port}/")


async def test_64_orders_take_as_many_statements_as_one(
    loader: BulkLoader, migrated_database: Database
) -> None:
    statements: list[str] = []

    async def listen(connection: asyncpg.Connection) -> None:
        connection.add_query_logger(lambda query: statements.append(query.query))

    async with asyncpg.create_pool(
        migrated_database.command_service_url, min_size=1, max_size=1, init=listen, reset=_no_reset
    ) as pool:
        transactions = Transactions(pool, DEFAULT_PARTITIONS, random_id, lambda shards: None)
        await transactions.run(_orders(loader, 1))  # the driver queries types only once
        for count in (1, 64):
            statements.clear()
            outcomes = await transactions.run(_orders(loader, count))
            assert all(isinstance(outcome, Accepted) for outcome in outcomes)
            assert len(statements) <= MAX_STATEMENTS_PER_BATCH, statements


async def _no_reset(connection: asyncpg.Connection) -> None:
    """As the command service's own pool."""


def _orders(loader: BulkLoader, count: int) -> list[PendingCommand]:
    loop = asyncio.get_running_loop()
    return [
        PendingCommand(
            command=COMMAND,
            message=PlaceOrder(
                customer_id=(customer := loader.customers[n % len(loader.customers)]),
                items=[
                    OrderLine(product_id=loader.products[3 * n + line], quantity=1)
                    for line in range(3)
                ],
                shipping_address="1 Main Street",
            ),
            context=Context(colocated_id(customer), "tester", True, datetime.now(UTC)),
            idempotency_key=None,
            request_hash=b"",
            traceparent=None,
            deadline=loop.time() + 30,
            result=loop.create_future(),
        )
        for n in range(count)
    ]


async def test_a_read_takes_one_round_trip_and_a_hundred_at_once_share_it(
    round_trips: RoundTripCounter, valkey: Valkey
) -> None:
    async with Redis.from_url(valkey.url()) as admin:
        empty = Checkpoint(0, -1, "").encode()
        await admin.mset({checkpoint_key(s): empty for s in all_shards(DEFAULT_PARTITIONS)})
    client = redis_client(_through(round_trips, valkey, "tandem_query_service"), "test")
    reader = RedisReader(client, Metrics(CollectorRegistry()).batch_keys)
    streams = Streams(
        max_streams=1, max_streams_per_caller=1, metrics=StreamMetrics(CollectorRegistry())
    )
    documents = query_dependencies(
        reader, *_positions(client), DEFAULT_PARTITIONS, streams
    ).documents
    ids = [random_id() for _ in range(100)]
    async with Redis.from_url(valkey.url()) as admin:
        stored = pack_document(1, 0, None, b"{}")
        shards = [shard_of("orders", id, DEFAULT_PARTITIONS) for id in ids]
        await admin.mset(dict.fromkeys(map(document_key, shards, ids), stored))
    await documents.find("orders", ids[0], None)  # connects
    for count in (1, 100):
        round_trips.count = 0
        await asyncio.gather(*(documents.find("orders", id, None) for id in ids[:count]))
        assert round_trips.count == 1, count
    await reader.close()
    await client.aclose()


def _positions(client: Redis) -> tuple[Positions, Watcher]:
    positions = Positions()

    async def read(keys: object) -> list[bytes | None]:
        return list(await fetch_values(client, keys))  # type: ignore[arg-type]

    watcher = Watcher(
        read,
        all_shards(DEFAULT_PARTITIONS),
        positions,
        max_waiting_reads=1,
        beat=lambda: None,
    )
    return positions, watcher


async def test_a_projected_batch_takes_two_round_trips_however_large_it_is(
    loader: BulkLoader, migrated_database: Database, round_trips: RoundTripCounter, valkey: Valkey
) -> None:
    await loader.load_orders(400, lines=1, reserve=False)
    client = redis_client(_through(round_trips, valkey, "tandem_projector"), "test")
    async with asyncpg.create_pool(migrated_database.log_reader_url, min_size=1) as pool:
        log = PostgresEventLog(pool)
        shard = max(await log.heads(all_shards(DEFAULT_PARTITIONS)), key=_orders_first)
        records = await log.read(shard, 1, 1000)
        arrivals = [Arrival(offset, record) for offset, record in enumerate(records)]
        projected = await _shard(shard, client, log)
        await projected.receive(arrivals[:1])  # connects, and sends the script
        for batch in (arrivals[1:2], arrivals[2:]):
            round_trips.count = 0
            await projected.receive(batch)
            assert round_trips.count <= 2, len(batch)
    assert len(arrivals) > 20
    await client.aclose()


def _orders_first(shard: str) -> bool:
    return shard.startswith("orders")


async def _shard(name: str, client: Redis, log: PostgresEventLog) -> Shard:
    begin = Checkpoint(0, -1, "").encode()
    await client.set(checkpoint_key(name), begin)
    shard = Shard(
        name,
        SHAPES[split_shard(name)[0]],
        RedisStore(client),
        log,
        ProjectorMetrics(CollectorRegistry()),
        lambda shard, offset: None,
        asyncio.Semaphore(1),
    )
    shard.acquire(begin, None)
    return shard


async def test_a_backlog_is_sent_in_large_batches_of_few_bytes(
    loader: BulkLoader, migrated_database: Database, kafka: Kafka
) -> None:
    await delete_topics(kafka.bootstrap_servers)
    await loader.load_orders(10_000)
    relay = InProcessRelay(settings(migrated_database, kafka.bootstrap_servers))

    async def published() -> bool:
        counts = [
            relay.count("events_published_total", topic=topic)
            for topic in ("users", "products", "orders")
        ]
        return sum(counts) >= loader.events

    await until(published, "all events published")
    await relay.stop()
    for topic in ("orders", "products"):
        sent = [
            read_record_batches(kafka.data_dir / "logs", topic, partition)
            for partition in range(DEFAULT_PARTITIONS)
        ]
        assert sum(batch.records for of_partition in sent for batch in of_partition) > 9_000
        assert mean(len(of_partition) for of_partition in sent) <= 6, topic
    assert _bytes_per_event(kafka) <= MAX_BYTES_PER_EVENT


def _bytes_per_event(kafka: Kafka) -> float:
    batches: list[RecordBatch] = []
    for shard in all_shards(DEFAULT_PARTITIONS):
        partition = TopicPartition(*split_shard(shard))
        batches += read_record_batches(kafka.data_dir / "logs", *partition)
    return sum(b.size for b in batches) / sum(b.records for b in batches)
