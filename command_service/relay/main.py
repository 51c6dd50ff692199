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

from command_service.relay.clients import Renewable, producers, readers
from command_service.relay.cursor import PostgresCursors
from command_service.relay.database import connect, disconnect
from command_service.relay.gathered_log import GatheredLog
from command_service.relay.lease import Leases
from command_service.relay.metrics import RelayMetrics
from command_service.relay.publish import BATCH_BYTES, KafkaPublisher
from command_service.relay.reader import PartitionReader
from command_service.relay.relay import Relay
from command_service.relay.settings import RelaySettings
from command_service.relay.shard_loop import Surroundings
from command_service.relay.topics import Topics, keep_looking
from command_service.relay.wake import listen
from shared.contracts.shards import split_shard
from shared.http.health import Health, Heartbeat
from shared.kafka import Kafka, require_fast_records

_BEAT_SECONDS: Final = 60.0
Producers = Renewable[AIOKafkaProducer]
Readers = Renewable[AIOKafkaClient]


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
        around = _surroundings(settings, pool, sending, reading, topics, nudge, registry)
        leases = Leases(pool, uuid.uuid4(), settings.lease_seconds, time.monotonic)
        relay = Relay(pool, leases, around, topics, settings.partitions, settings.lease_seconds)
        heart = Heartbeat(_BEAT_SECONDS)
        health.watch("relay", heart)
        health.require("relay", relay.not_ready)
        async with _beside(
            keep_looking(topics, settings.check_seconds, nudge),
            listen(settings.database_url, relay.wake),
        ):
            await relay.tend(heart.beat, stop)
        await relay.leave()


def _surroundings(
    settings: RelaySettings,
    pool: "asyncpg.Pool[asyncpg.Record]",
    sending: Producers,
    reading: Readers,
    topics: Topics,
    nudge: asyncio.Event,
    registry: CollectorRegistry,
) -> Surroundings:
    metrics = RelayMetrics(registry)

    def partition(shard: str) -> PartitionReader:
        return PartitionReader(reading, *split_shard(shard), settings.partitions)

    return Surroundings(
        log=GatheredLog(pool),
        cursors=PostgresCursors(pool),
        publisher=KafkaPublisher(sending, metrics),
        partition=partition,
        usable=topics.usable,
        topic_missing=nudge.set,
        metrics=metrics,
        check_seconds=settings.check_seconds,
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
