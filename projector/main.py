"""`python -m projector run`: composes the projector and runs it."""

import asyncio
import time
from typing import Final

from projector.connections import open_event_log, open_store
from projector.consumer import Consumer
from projector.lag_monitor import LagMonitor
from projector.metrics import Metrics
from projector.ownership import Ownership
from projector.settings import ProjectorSettings
from projector.shard import Shard
from projector.store import Store
from projector.subscription import consume
from projector.upkeep import Upkeep
from projector.views.registry import SHAPES
from shared.contracts.shards import all_shards, split_shard
from shared.event_log import AggregateLog
from shared.gc_tuning import freeze_startup_objects
from shared.http.dispatch import Dispatcher
from shared.http.health import Health, Heartbeat, health_operations
from shared.http.metrics import process_registry
from shared.http.server import listen, serve
from shared.kafka.clients import require_fast_records

_POLL_INTERVAL_S: Final = 1.0
_HEARTBEAT_TIMEOUT_S: Final = 60.0
_GRACE_S: Final = 2.0
_MAX_CONCURRENT_CATCH_UPS: Final = 3  # more would delay Kafka's records and health checks
_EVENT_LOG_CONNECTIONS: Final = _MAX_CONCURRENT_CATCH_UPS + 1  # one for the lag monitor


async def run(settings: ProjectorSettings, stop: asyncio.Event) -> None:
    """Projects until `stop` is set, then finishes the batch in progress and leaves the group.

    Raises CannotListen. An unavailable server neither prevents the start nor ends the process.
    """
    require_fast_records()
    listener = listen(settings.host, settings.health_port)
    registry = process_registry()
    event_log = open_event_log(settings.database_url, _EVENT_LOG_CONNECTIONS)
    async with event_log as log, open_store(settings) as store:
        metrics = Metrics(registry)
        shards, consumer, monitor, upkeep = _compose(settings, store, log, metrics)
        health = Health()
        consuming, polling = Heartbeat(_HEARTBEAT_TIMEOUT_S), Heartbeat(_HEARTBEAT_TIMEOUT_S)
        health.add_liveness_check("consumer", consuming)
        health.add_liveness_check("lag_monitor", polling)
        health.add_readiness_check("kafka", consumer.assignment_problem)
        health.add_readiness_check("redis", monitor.redis_problem)
        health.add_readiness_check("views", monitor.missing_views)
        health.add_readiness_check("log_divergence", monitor.diverged_shards)
        health.add_readiness_check("parked", monitor.full_shards)
        health.add_readiness_check("shapes", monitor.shape_problem)
        health.add_readiness_check("memory_policy", upkeep.policy_problem)
        app = Dispatcher(health_operations(health, registry), authenticator=None, registry=registry)
        freeze_startup_objects()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(app, listener, stop=stop, grace_seconds=_GRACE_S))
            monitoring = tasks.create_task(monitor.run(_POLL_INTERVAL_S, polling))
            keeping = tasks.create_task(upkeep.run())
            await consume(settings, consumer, stop, consuming, monitor.shape_problem)
            monitoring.cancel()
            keeping.cancel()
        await asyncio.gather(*(shard.release() for shard in shards))


def _compose(
    settings: ProjectorSettings, store: Store, log: AggregateLog, metrics: Metrics
) -> tuple[list[Shard], Consumer, LagMonitor, Upkeep]:
    names = all_shards(settings.partitions)
    ownership = Ownership(names, 2 * settings.consumer_session_seconds, time.monotonic)
    consumer = Consumer(ownership, store, metrics)
    slots = asyncio.Semaphore(_MAX_CONCURRENT_CATCH_UPS)
    shards = {
        name: Shard(
            name,
            SHAPES[split_shard(name)[0]],
            store,
            log,
            metrics,
            rewind=consumer.rewind,
            catch_up_slots=slots,
        )
        for name in names
    }
    consumer.use_shards(shards)
    monitor = LagMonitor(shards, ownership, store, log, consumer.records_pending, _now_ms)
    upkeep = Upkeep(ownership, store, log, metrics, settings.keep_generation_hours * 3600)
    return list(shards.values()), consumer, monitor, upkeep


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
