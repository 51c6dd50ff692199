"""`python -m command_service serve`: builds the service out of its parts, and runs it."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

from command_service.commands.command import AnyCommand
from command_service.commands.registry import COMMANDS
from command_service.executor import Executor
from command_service.housekeeping import anonymize_orders, look_for_unpublished, repeat, sweep
from command_service.http.contracts import contract_operations
from command_service.http.endpoint import CommandEndpoint, NewIds
from command_service.http.operations import command_document, command_operations
from command_service.ids import id_beside, random_id
from command_service.installation import Installation
from command_service.metrics import Metrics
from command_service.notifying import Notifier
from command_service.settings import ServeSettings
from command_service.write_store.pool import Pool, open_pool
from command_service.write_store.settling import Transactions
from shared.http.authentication import Authenticator
from shared.http.dispatch import Dispatcher
from shared.http.documentation import documentation_operations
from shared.http.health import Health, health_operations
from shared.http.jwks import KeySet
from shared.http.metrics import process_registry
from shared.http.operations import Handler, Operation
from shared.http.rate_limit import RateLimit
from shared.http.server import listen, serve
from shared.memory import settle_memory

_GRACE_S: Final = 12.0
_SIDE_CONNECTIONS: Final = 3


async def run(settings: ServeSettings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; then finish what is in flight.

    Raises CannotListen, JwksUnreadable or WrongPartitions, whose texts are for the operator.
    """
    keys = KeySet(settings.jwks_url)
    await keys.start()
    registry = process_registry()
    metrics = Metrics(registry)
    async with AsyncExitStack() as parts:
        listener = parts.enter_context(listen(settings.host, settings.port))
        pool = await open_pool(settings.database_url, settings.lanes + _SIDE_CONNECTIONS)
        parts.callback(pool.terminate)
        notifier = Notifier(pool)
        transactions = Transactions(pool, settings.partitions, random_id, notifier.committed)
        executor = Executor(
            transactions.run,
            metrics,
            lanes=settings.lanes,
            most_per_batch=settings.most_per_batch,
            most_waiting=settings.most_waiting,
        )
        installation = Installation(pool, settings.partitions)
        executor.start()
        parts.push_async_callback(executor.stop)
        health = Health()
        health.require("database", installation.not_ready)
        health.require("keys", keys.not_ready)
        endpoint = _endpoints(executor, installation, metrics)
        app = Dispatcher(
            [*_operations(endpoint), *health_operations(health, registry)],
            authenticator=Authenticator(
                keys, issuer=settings.jwt_issuer, audience=settings.jwt_audience
            ),
            registry=registry,
            rate_limit=_rate_limit(settings.rate_limit),
        )
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(serve(app, listener, stop=stop, grace_seconds=_GRACE_S))
            jobs = (
                installation.learn(),
                keys.run(),
                notifier.run(),
                *_housekeeping(pool, metrics, settings),
            )
            aside = [tasks.create_task(job) for job in jobs]
            settle_memory()
            await serving
            for task in aside:
                task.cancel()


def _endpoints(
    executor: Executor, installation: Installation, metrics: Metrics
) -> Callable[[AnyCommand], Handler]:
    new_ids = NewIds(random=random_id, beside=id_beside)
    return lambda command: CommandEndpoint(
        command, executor, new_ids, installation.request_key, metrics
    )


def _operations(endpoint: Callable[[AnyCommand], Handler]) -> list[Operation]:
    operations = command_operations(COMMANDS, endpoint)
    documents = documentation_operations(command_document(operations))
    return [*operations, *documents, *contract_operations()]


def _rate_limit(per_second: int) -> RateLimit | None:
    return RateLimit(per_second, 2 * per_second, time.monotonic) if per_second else None


def _housekeeping(
    pool: Pool, metrics: Metrics, settings: ServeSettings
) -> "list[asyncio._CoroutineLike[None]]":
    anonymize = partial(anonymize_orders, pool, metrics, settings.partitions, random_id)
    return [
        repeat("anonymize", anonymize, pause_s=2),
        repeat("unpublished", partial(look_for_unpublished, pool, metrics), pause_s=5),
        repeat("sweep", partial(sweep, pool, settings.keep_answers_hours), pause_s=60),
    ]
