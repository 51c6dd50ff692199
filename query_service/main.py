"""`python -m query_service`: builds the service out of its parts, and runs it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry

from query_service.cluster_reader import ClusterReader, fetch_from_cluster
from query_service.consistency import Consistency
from query_service.documents import Documents
from query_service.metrics import Metrics, ProjectionMetrics
from query_service.pages import Pages
from query_service.positions import Positions
from query_service.queries.openapi import query_document, query_operations
from query_service.queries.query import QueryDependencies
from query_service.reader import Reader
from query_service.redis_reader import RedisReader, fetch
from query_service.settings import QuerySettings
from query_service.watcher import Fetch, Watcher
from shared.contracts.shards import all_shards
from shared.gc_tuning import freeze_startup_objects
from shared.http.authentication import Authenticator
from shared.http.dispatch import Dispatcher
from shared.http.documentation import documentation_operations
from shared.http.health import Health, Heartbeat, health_operations
from shared.http.jwks import KeySet
from shared.http.metrics import process_registry
from shared.http.operations import Operation
from shared.http.rate_limit import RateLimit
from shared.http.server import listen, serve
from shared.redis.cluster import Cluster

_GRACE_S: Final = 12.0
_LAST_WAITS_S: Final = 5.0
_REDIS_S: Final = 2.0
_WATCHER_STUCK_S: Final = 30.0
_MOST_ANSWERED: Final = 1024


async def run(settings: QuerySettings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; then finish what is in flight.

    Redis may be away, at the start and later: then reads answer 503. Raises CannotListen or
    JwksUnreadable, whose texts are for the operator.
    """
    keys = KeySet(settings.jwks_url)
    await keys.start()
    registry = process_registry()
    async with AsyncExitStack() as parts:
        listener = parts.enter_context(listen(settings.host, settings.port))
        metrics, positions, health = Metrics(registry), Positions(), Health()
        reader, fetch_values = await parts.enter_async_context(_views(settings, metrics))
        watcher = _watcher(settings, fetch_values, positions, health)
        metrics.waiting.set_function(lambda: watcher.waiting)
        registry.register(ProjectionMetrics(positions, watcher.heads))
        health.add_readiness_check("redis", watcher.not_ready)
        health.add_readiness_check("keys", keys.not_ready)
        reads = compose_reads(reader, positions, watcher, settings.partitions)
        app = _app(
            settings, keys, registry, [*_operations(reads), *health_operations(health, registry)]
        )
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(serve(app, listener, stop=stop, grace_seconds=_GRACE_S))
            aside = [
                tasks.create_task(job)
                for job in (keys.run(), watcher.watch(), _end_waits(watcher, stop))
            ]
            freeze_startup_objects()
            await serving
            for task in aside:
                task.cancel()


@asynccontextmanager
async def _views(settings: QuerySettings, metrics: Metrics) -> AsyncIterator[tuple[Reader, Fetch]]:
    """The one Redis, or the cluster, that the views are in."""
    # Retries are safe: the service only reads.
    options = {"connect_timeout_s": _REDIS_S, "reply_timeout_s": _REDIS_S, "retries": 1}
    source = settings.cluster if settings.redis_cluster else settings.redis
    client = source("tandem-query-service", **options)
    reader: ClusterReader | RedisReader
    if isinstance(client, Cluster):
        reader = ClusterReader(client, metrics.batch_keys)
        values: Fetch = partial(fetch_from_cluster, client)
    else:
        reader, values = RedisReader(client, metrics.batch_keys), partial(fetch, client)
    try:
        yield reader, values
    finally:
        await reader.close()
        await client.aclose()


def compose_reads(
    reader: Reader, positions: Positions, watcher: Watcher, partitions: int
) -> QueryDependencies:
    """What queries use."""
    consistency = Consistency(positions, watcher)
    return QueryDependencies(
        reader=reader,
        consistency=consistency,
        documents=Documents(reader, positions, consistency, partitions),
        pages=Pages(reader, consistency, partitions),
        partitions=partitions,
        now=partial(datetime.now, UTC),
    )


def _watcher(
    settings: QuerySettings, fetch_values: Fetch, positions: Positions, health: Health
) -> Watcher:
    heartbeat = Heartbeat(_WATCHER_STUCK_S)
    health.add_liveness_check("watcher", heartbeat)
    return Watcher(
        fetch_values,
        all_shards(settings.partitions),
        positions,
        max_waiting_reads=settings.max_waiting_reads,
        beat=heartbeat.beat,
    )


def _app(
    settings: QuerySettings,
    keys: KeySet,
    registry: CollectorRegistry,
    operations: list[Operation],
) -> Dispatcher:
    """Reads that wait count as being answered, so they are allowed for on top."""
    limit = settings.rate_limit
    return Dispatcher(
        operations,
        authenticator=Authenticator(
            keys, issuer=settings.jwt_issuer, audience=settings.jwt_audience
        ),
        registry=registry,
        max_in_flight=_MOST_ANSWERED + settings.max_waiting_reads,
        rate_limit=RateLimit(limit, 2 * limit, time.monotonic) if limit else None,
    )


def _operations(reads: QueryDependencies) -> list[Operation]:
    operations = query_operations(reads)
    return [*operations, *documentation_operations(query_document(operations))]


async def _end_waits(watcher: Watcher, stop: asyncio.Event) -> None:
    """Whoever waits when the process is to stop gets an answer before it does."""
    await stop.wait()
    await asyncio.sleep(_LAST_WAITS_S)
    watcher.stop()
