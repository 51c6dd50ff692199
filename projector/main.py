"""`python -m projector run`: builds the projector out of its parts, and runs it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from projector.consumer import Consumer
from projector.lag_monitor import LagMonitor
from projector.metrics import Metrics
from projector.ownership import Ownership
from projector.redis_cluster_store import RedisClusterStore
from projector.redis_store import RedisStore
from projector.settings import ProjectorSettings
from projector.shard import Shard
from projector.store import Store
from projector.subscription import consume
from projector.views.registry import VIEWS
from shared.contracts.shards import all_shards, split_shard
from shared.event_log import EventLog, PostgresEventLog
from shared.gc_tuning import freeze_startup_objects
from shared.http.dispatch import Dispatcher
from shared.http.health import Health, Heartbeat, health_operations
from shared.http.metrics import process_registry
from shared.http.server import listen, serve
from shared.kafka.clients import require_fast_records

_LOOK_SECONDS: Final = 1.0
_STUCK_SECONDS: Final = 60.0
_GRACE_SECONDS: Final = 2.0
_HEALED_AT_A_TIME: Final = 3
_LOG_CONNECTIONS: Final = _HEALED_AT_A_TIME + 1  # one for the look of every second
# A paused PostgreSQL holds up a shard that is reading the log, for so long and no longer.
_LOG_ANSWER_SECONDS: Final = 4.0


async def run(settings: ProjectorSettings, stop: asyncio.Event) -> None:
    """Projects until `stop` is set, then finishes the batch in flight and leaves.

    Raises CannotListen. No server that is away keeps it from starting, or ends it.
    """
    require_fast_records()
    listener = listen(settings.host, settings.port)
    registry = process_registry()
    async with _log(settings.database_url) as log, _store(settings) as store:
        shards, consumer, watch = _parts(settings, store, log, Metrics(registry))
        health, consuming, looking = Health(), Heartbeat(_STUCK_SECONDS), Heartbeat(_STUCK_SECONDS)
        health.add_liveness_check("consumer", consuming)
        health.add_liveness_check("watch", looking)
        health.add_readiness_check("kafka", consumer.not_ready)
        health.add_readiness_check("redis", watch.redis)
        health.add_readiness_check("views", watch.views)
        health.add_readiness_check("forked", watch.forks)
        app = Dispatcher(health_operations(health, registry), authenticator=None, registry=registry)
        freeze_startup_objects()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(app, listener, stop=stop, grace_seconds=_GRACE_SECONDS))
            watching = tasks.create_task(watch.run(_LOOK_SECONDS, looking))
            await consume(settings, consumer, stop, consuming)
            watching.cancel()
        await asyncio.gather(*(shard.release() for shard in shards))


def _parts(
    settings: ProjectorSettings, store: Store, log: EventLog, metrics: Metrics
) -> tuple[list[Shard], Consumer, LagMonitor]:
    names = all_shards(settings.partitions)
    ownership = Ownership(names, 2 * settings.consumer_session_seconds, time.monotonic)
    consumer = Consumer(ownership, store, metrics)
    rewind, turns = consumer.rewind, asyncio.Semaphore(_HEALED_AT_A_TIME)
    shards = {
        name: Shard(name, VIEWS[split_shard(name)[0]], store, log, metrics, rewind, turns)
        for name in names
    }
    consumer.serve(shards)
    watch = LagMonitor(shards, ownership, store, log, consumer.waiting, _now_ms)
    return list(shards.values()), consumer, watch


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def _log(database_url: str) -> AsyncIterator[EventLog]:
    """The log, connected to when it is first asked."""
    pool = asyncpg.create_pool(
        database_url,
        min_size=0,
        max_size=_LOG_CONNECTIONS,
        timeout=5,
        command_timeout=_LOG_ANSWER_SECONDS,
        server_settings={"application_name": "tandem-projector"},
    )
    await pool
    try:
        yield PostgresEventLog(pool)
    finally:
        pool.terminate()


@asynccontextmanager
async def _store(settings: ProjectorSettings) -> AsyncIterator[Store]:
    if settings.redis_cluster:
        cluster = settings.cluster("tandem-projector")
        try:
            yield RedisClusterStore(cluster)
        finally:
            await cluster.aclose()
        return
    client = settings.redis("tandem-projector")
    try:
        yield RedisStore(client)
    finally:
        await client.aclose()
