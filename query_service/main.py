"""Composes the service and runs it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Final, NamedTuple

from query_service.cluster_reader import ClusterReader, fetch_cluster_values, group_by_cluster_node
from query_service.consistency import Consistency
from query_service.documents import Documents
from query_service.live.document_feed import DocumentFeed
from query_service.live.event_stream import Streams
from query_service.live.live_views import LiveViews
from query_service.metrics import Metrics, ProjectionMetrics, StreamMetrics
from query_service.notifications import (
    GroupByClient,
    Notifications,
    group_by_cluster_client,
    group_by_single_client,
)
from query_service.pages import Pages
from query_service.positions import Positions
from query_service.queries.openapi import query_document, query_operations
from query_service.queries.query import QueryDependencies
from query_service.reader import Reader
from query_service.redis_reader import RedisReader, fetch_values
from query_service.settings import QuerySettings
from query_service.watcher import FetchValues, GroupByNode, Watcher, group_as_one_node
from shared.contracts.shards import all_shards
from shared.gc_tuning import freeze_startup_objects
from shared.http.documentation import documentation_operations
from shared.http.health import Health, Heartbeat
from shared.http.index import DOCUMENT_LINKS
from shared.http.jwks import KeySet
from shared.http.metrics import process_registry
from shared.http.operations import Operation
from shared.http.service import HttpService
from shared.redis.cluster import Cluster

_GRACE_S: Final = 12.0
_WAIT_GRACE_S: Final = 5.0
_REDIS_TIMEOUT_S: Final = 2.0
_WATCHER_TIMEOUT_S: Final = 30.0

_LINKS: Final = {
    **DOCUMENT_LINKS,
    "products": "/v1/products",
    "orders": "/v1/orders",
    "users": "/v1/users",
    "dashboard": "/v1/dashboard",
    "projections": "/v1/projections",
}


async def run(settings: QuerySettings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then finish the requests in flight.

    While Redis is unavailable, at the start or later, reads get 503. Raises CannotListen or
    JwksUnreadable, with a message for the operator.
    """
    keys = KeySet(settings.jwks_url)
    await keys.start()
    registry = process_registry()
    async with AsyncExitStack() as parts:
        service = parts.enter_context(HttpService(settings))
        metrics, positions, health = Metrics(registry), Positions(), Health()
        redis = await parts.enter_async_context(_connect(settings, metrics))
        reader, notifications = redis.reader, redis.notifications
        watcher = _watcher(settings, redis, positions, health)
        metrics.waiting.set_function(lambda: watcher.waiting)
        registry.register(ProjectionMetrics(positions, watcher.heads))
        health.add_readiness_check("redis", watcher.not_ready)
        health.add_readiness_check("keys", keys.not_ready)
        streams = Streams(
            max_streams=settings.max_streams,
            max_streams_per_caller=settings.max_streams_per_caller,
            metrics=StreamMetrics(registry),
        )
        dependencies = query_dependencies(reader, positions, watcher, settings.partitions, streams)
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(
                service.serve(
                    _operations(dependencies),
                    name="query-service",
                    links=_LINKS,
                    keys=keys,
                    health=health,
                    registry=registry,
                    stop=stop,
                    grace_seconds=_GRACE_S,
                    waiting_requests=settings.max_waiting_reads,
                )
            )
            background = [
                tasks.create_task(job)
                for job in (
                    keys.run(),
                    watcher.run(),
                    notifications.run(watcher.receive),
                    _end_waits(watcher, stop),
                    _end_streams(streams, stop),
                )
            ]
            freeze_startup_objects()
            await serving
            for task in background:
                task.cancel()


class _RedisParts(NamedTuple):
    reader: Reader
    fetch: FetchValues
    group_by_node: GroupByNode
    notifications: Notifications


@asynccontextmanager
async def _connect(settings: QuerySettings, metrics: Metrics) -> AsyncIterator[_RedisParts]:
    """What reads from Redis, for a single Redis or a cluster."""
    # Retries are safe: the service only reads.
    options = {
        "connect_timeout_s": _REDIS_TIMEOUT_S,
        "reply_timeout_s": _REDIS_TIMEOUT_S,
        "retries": 1,
    }
    source = settings.cluster if settings.redis_cluster else settings.redis
    client = source("tandem-query-service", **options)
    reader: ClusterReader | RedisReader
    if isinstance(client, Cluster):
        reader = ClusterReader(client, metrics.batch_keys)
        fetch: FetchValues = partial(fetch_cluster_values, client)
        group_by_node: GroupByNode = partial(group_by_cluster_node, client)
        group_clients: GroupByClient = partial(group_by_cluster_client, client)
    else:
        reader = RedisReader(client, metrics.batch_keys)
        fetch = partial(fetch_values, client)
        group_by_node = group_as_one_node
        group_clients = partial(group_by_single_client, client)
    shards = all_shards(settings.partitions)
    try:
        yield _RedisParts(reader, fetch, group_by_node, Notifications(group_clients, shards))
    finally:
        await reader.close()
        await client.aclose()


def query_dependencies(
    reader: Reader, positions: Positions, watcher: Watcher, partitions: int, streams: Streams
) -> QueryDependencies:
    consistency = Consistency(positions, watcher)
    documents = Documents(reader, positions, consistency, partitions)
    return QueryDependencies(
        reader=reader,
        consistency=consistency,
        documents=documents,
        pages=Pages(reader, consistency, partitions),
        live=LiveViews(streams, DocumentFeed(documents, watcher, partitions), watcher),
        partitions=partitions,
        now=partial(datetime.now, UTC),
    )


def _watcher(
    settings: QuerySettings, redis: _RedisParts, positions: Positions, health: Health
) -> Watcher:
    heartbeat = Heartbeat(_WATCHER_TIMEOUT_S)
    health.add_liveness_check("watcher", heartbeat)
    return Watcher(
        redis.fetch,
        all_shards(settings.partitions),
        positions,
        max_waiting_reads=settings.max_waiting_reads,
        max_waiting_reads_per_caller=settings.max_waiting_reads_per_caller,
        max_anonymous_waiting_reads=settings.max_anonymous_waiting_reads,
        beat=heartbeat.beat,
        group_by_node=redis.group_by_node,
        notifications=redis.notifications,
    )


def _operations(dependencies: QueryDependencies) -> list[Operation]:
    operations = query_operations(dependencies)
    return [*operations, *documentation_operations(query_document(operations))]


async def _end_waits(watcher: Watcher, stop: asyncio.Event) -> None:
    """Before the process stops, respond to the reads that still wait."""
    await stop.wait()
    await asyncio.sleep(_WAIT_GRACE_S)
    watcher.stop()


async def _end_streams(streams: Streams, stop: asyncio.Event) -> None:
    await stop.wait()
    streams.stop()
