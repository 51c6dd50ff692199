"""Starts the parts of a relay, and stops them."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from prometheus_client import CollectorRegistry

from command_service.relay.clients import ReconnectingClient, create_producers, create_readers
from command_service.relay.commit_listener import listen
from command_service.relay.cursor import PostgresCursors
from command_service.relay.database import CoalescedLog, connect, disconnect
from command_service.relay.lease import Leases
from command_service.relay.metrics import RelayMetrics
from command_service.relay.partition_reader import PartitionReader
from command_service.relay.publisher import MAX_BATCH_BYTES, KafkaPublisher
from command_service.relay.relay import Relay
from command_service.relay.retry import run_forever
from command_service.relay.settings import RelaySettings
from command_service.relay.shard_loop import RelayContext
from command_service.relay.topics import Topics, poll_topics
from shared.contracts.shards import split_shard
from shared.event_log import EventLog
from shared.http.health import Health, Heartbeat
from shared.kafka.clients import Kafka, require_fast_records

_MAX_HEARTBEAT_AGE_SECONDS: Final = 60.0
Producers = ReconnectingClient[AIOKafkaProducer]
Readers = ReconnectingClient[AIOKafkaClient]


async def run(
    settings: RelaySettings, stop: asyncio.Event, health: Health, registry: CollectorRegistry
) -> None:
    """Publish until `stop` is set; then await the batches in flight and release the shards.

    Unavailable servers are awaited. After a kill at any point the leases expire, and the next
    relay publishes at most one batch per shard a second time.
    """
    require_fast_records()
    kafka = settings.kafka()
    topics, poll_requested = Topics(kafka, settings), asyncio.Event()
    async with _clients(settings, kafka) as (pool, producers, readers):
        event_log = CoalescedLog(pool)
        context = _relay_context(
            settings, event_log, pool, producers, readers, topics, poll_requested, registry
        )
        leases = Leases(pool, uuid.uuid4(), settings.lease_seconds, time.monotonic)
        relay = Relay(
            event_log, leases, context, topics, settings.partitions, settings.lease_seconds
        )
        heartbeat = Heartbeat(_MAX_HEARTBEAT_AGE_SECONDS)
        health.add_liveness_check("relay", heartbeat)
        health.add_readiness_check("relay", relay.not_ready)
        interval = settings.reconcile_interval_seconds
        async with _background(
            context.metrics,
            poll_topics=partial(poll_topics, topics, interval, poll_requested),
            listen=partial(listen, settings.database_url, relay.wake),
        ):
            await relay.run(heartbeat.beat, stop)
        await relay.shut_down()


def _relay_context(
    settings: RelaySettings,
    event_log: EventLog,
    pool: "asyncpg.Pool[asyncpg.Record]",
    producers: Producers,
    readers: Readers,
    topics: Topics,
    poll_requested: asyncio.Event,
    registry: CollectorRegistry,
) -> RelayContext:
    metrics = RelayMetrics(registry)

    def partition(shard: str) -> PartitionReader:
        return PartitionReader(readers, *split_shard(shard), settings.partitions)

    return RelayContext(
        log=event_log,
        cursors=PostgresCursors(pool),
        publisher=KafkaPublisher(producers, metrics),
        partition=partition,
        topic_is_usable=topics.is_usable,
        request_topic_poll=poll_requested.set,
        metrics=metrics,
        reconcile_interval_seconds=settings.reconcile_interval_seconds,
    )


@asynccontextmanager
async def _clients(
    settings: RelaySettings, kafka: Kafka
) -> "AsyncIterator[tuple[asyncpg.Pool[asyncpg.Record], Producers, Readers]]":
    pool = connect(settings.database_url)
    await pool
    producers, readers = create_producers(kafka, MAX_BATCH_BYTES), create_readers(kafka)
    try:
        yield pool, producers, readers
    finally:
        await asyncio.gather(producers.close(), readers.close(), disconnect(pool))


@asynccontextmanager
async def _background(
    metrics: RelayMetrics, **jobs: Callable[[], Awaitable[None]]
) -> AsyncIterator[None]:
    """Run the jobs during the block, and cancel them after it."""
    tasks = [
        asyncio.create_task(run_forever(name, job, metrics.background_failures.labels(name).inc))
        for name, job in jobs.items()
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
