"""Runs a relay until it is told to stop."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from prometheus_client import CollectorRegistry

from command_service.relay.clients import ReconnectingClient, producers, readers
from command_service.relay.coalesced_log import CoalescedLog
from command_service.relay.commit_listener import listen
from command_service.relay.cursor import PostgresCursors
from command_service.relay.database import connect, disconnect
from command_service.relay.lease import Leases
from command_service.relay.metrics import RelayMetrics
from command_service.relay.partition_reader import PartitionReader
from command_service.relay.publisher import BATCH_BYTES, KafkaPublisher
from command_service.relay.relay import Relay
from command_service.relay.settings import RelaySettings
from command_service.relay.shard_loop import RelayContext
from command_service.relay.topics import Topics, keep_looking
from shared.contracts.shards import split_shard
from shared.event_log import EventLog
from shared.http.health import Health, Heartbeat
from shared.kafka.clients import Kafka, require_fast_records

_BEAT_SECONDS: Final = 60.0
Producers = ReconnectingClient[AIOKafkaProducer]
Readers = ReconnectingClient[AIOKafkaClient]


async def run(
    settings: RelaySettings, stop: asyncio.Event, health: Health, registry: CollectorRegistry
) -> None:
    """Publish until `stop` is set; then finish the batches in flight and give the shards back.

    Servers that are down are waited for: nothing but `stop` ends it. A kill at any point leaves
    leases that lapse, and at most one batch per shard that the next relay sends again.
    """
    require_fast_records()
    kafka = settings.kafka()
    topics, nudge = Topics(kafka, settings), asyncio.Event()
    async with _clients(settings, kafka) as (pool, sending, reading):
        event_log = CoalescedLog(pool)
        around = _relay_context(
            settings, event_log, pool, sending, reading, topics, nudge, registry
        )
        leases = Leases(pool, uuid.uuid4(), settings.lease_seconds, time.monotonic)
        relay = Relay(
            event_log, leases, around, topics, settings.partitions, settings.lease_seconds
        )
        heart = Heartbeat(_BEAT_SECONDS)
        health.add_liveness_check("relay", heart)
        health.add_readiness_check("relay", relay.not_ready)
        async with _beside(
            keep_looking(topics, settings.reconcile_interval_seconds, nudge),
            listen(settings.database_url, relay.wake),
        ):
            await relay.tend(heart.beat, stop)
        await relay.leave()


def _relay_context(
    settings: RelaySettings,
    event_log: EventLog,
    pool: "asyncpg.Pool[asyncpg.Record]",
    sending: Producers,
    reading: Readers,
    topics: Topics,
    nudge: asyncio.Event,
    registry: CollectorRegistry,
) -> RelayContext:
    metrics = RelayMetrics(registry)

    def partition(shard: str) -> PartitionReader:
        return PartitionReader(reading, *split_shard(shard), settings.partitions)

    return RelayContext(
        log=event_log,
        cursors=PostgresCursors(pool),
        publisher=KafkaPublisher(sending, metrics),
        partition=partition,
        usable=topics.usable,
        topic_missing=nudge.set,
        metrics=metrics,
        reconcile_interval_seconds=settings.reconcile_interval_seconds,
    )


@asynccontextmanager
async def _clients(
    settings: RelaySettings, kafka: Kafka
) -> "AsyncIterator[tuple[asyncpg.Pool[asyncpg.Record], Producers, Readers]]":
    pool = connect(settings.database_url)
    await pool
    sending, reading = producers(kafka, BATCH_BYTES), readers(kafka)
    try:
        yield pool, sending, reading
    finally:
        await asyncio.gather(sending.close(), reading.close(), disconnect(pool))


@asynccontextmanager
async def _beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run the work beside the block, and cancel it after."""
    tasks = [asyncio.create_task(job) for job in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
