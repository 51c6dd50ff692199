"""`python -m command_service serve`: builds the service from its parts, and runs it."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

from command_service.background_jobs import (
    continue_erasure,
    delete_expired_rows,
    measure_oldest_unpublished,
    run_periodically,
)
from command_service.commands.command import AnyCommand
from command_service.commands.registry import COMMANDS
from command_service.database_clock import DatabaseClock
from command_service.executor import Executor
from command_service.http.contracts import contract_operations
from command_service.http.endpoint import CommandEndpoint, IdFactory
from command_service.http.operations import command_document, command_operations
from command_service.ids import colocated_id, random_id
from command_service.installation import Installation
from command_service.metrics import Metrics
from command_service.notifier import Notifier
from command_service.process_runner import PAUSE_S, ProcessRunner
from command_service.settings import ServeSettings
from command_service.write_store.pool import Pool, open_pool
from command_service.write_store.transactions import Transactions
from shared.gc_tuning import freeze_startup_objects
from shared.http.documentation import documentation_operations
from shared.http.health import Health
from shared.http.index import DOCUMENT_LINKS
from shared.http.jwks import KeySet
from shared.http.metrics import process_registry
from shared.http.operations import Handler, Operation
from shared.http.service import HttpService

_GRACE_S: Final = 12.0
_BACKGROUND_CONNECTIONS: Final = 4


async def run(settings: ServeSettings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; then finish the requests in flight.

    Raises CannotListen, JwksUnreadable, WrongPartitions or TransactionPooling, whose text is one
    line for the operator.
    """
    keys = KeySet(settings.jwks_url)
    await keys.start()
    registry = process_registry()
    metrics = Metrics(registry)
    async with AsyncExitStack() as parts:
        service = parts.enter_context(HttpService(settings))
        pool = await open_pool(
            settings.database_url, settings.max_concurrent_batches + _BACKGROUND_CONNECTIONS
        )
        parts.callback(pool.terminate)
        notifier, clock = Notifier(pool, metrics.job_failures), DatabaseClock()
        transactions = Transactions(pool, settings.partitions, random_id, notifier.add)
        executor = Executor(
            transactions.run,
            metrics,
            max_concurrent_batches=settings.max_concurrent_batches,
            max_batch_size=settings.max_batch_size,
            max_queue_depth=settings.max_queue_depth,
        )
        installation = Installation(settings.database_url, pool, clock, settings.partitions)
        executor.start()
        parts.push_async_callback(executor.stop)
        health = Health()
        health.add_readiness_check("database", installation.not_ready)
        health.add_readiness_check("keys", keys.not_ready)
        endpoint = _endpoints(executor, installation, clock, metrics)
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(
                service.serve(
                    _operations(endpoint),
                    name="command-service",
                    links={**DOCUMENT_LINKS, "asyncapi": "/asyncapi.json"},
                    keys=keys,
                    health=health,
                    registry=registry,
                    stop=stop,
                    grace_seconds=_GRACE_S,
                )
            )
            jobs = (
                installation.load(),
                keys.run(),
                notifier.run(),
                *_background_jobs(pool, executor, clock, metrics, settings),
            )
            background = [tasks.create_task(job) for job in jobs]
            freeze_startup_objects()
            await serving
            for task in background:
                task.cancel()


def _endpoints(
    executor: Executor, installation: Installation, clock: DatabaseClock, metrics: Metrics
) -> Callable[[AnyCommand], Handler]:
    ids = IdFactory(new_id=random_id, colocated_with=colocated_id)
    return lambda command: CommandEndpoint(
        command, executor, ids, installation.request_key, clock.now, metrics
    )


def _operations(endpoint: Callable[[AnyCommand], Handler]) -> list[Operation]:
    operations = command_operations(COMMANDS, endpoint)
    documents = documentation_operations(command_document(operations))
    return [*operations, *documents, *contract_operations()]


def _background_jobs(
    pool: Pool,
    executor: Executor,
    clock: DatabaseClock,
    metrics: Metrics,
    settings: ServeSettings,
) -> "list[asyncio._CoroutineLike[None]]":
    erase = partial(continue_erasure, pool, metrics, clock, settings.partitions, random_id)
    unpublished = partial(measure_oldest_unpublished, pool, metrics)
    delete = partial(delete_expired_rows, pool, settings.idempotency_retention_hours)
    processes = ProcessRunner(pool, executor, metrics, clock.now)
    run = partial(run_periodically, failures=metrics.job_failures)
    return [
        run("measure_clock", partial(clock.measure, pool), pause_s=5),
        run("continue_erasure", erase, pause_s=1),
        run("processes", processes.step, pause_s=PAUSE_S, max_pause_s=1),
        run("measure_overdue", processes.measure, pause_s=5),
        run("measure_oldest_unpublished", unpublished, pause_s=5),
        run("delete_expired_rows", delete, pause_s=60),
    ]
