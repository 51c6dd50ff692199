"""Runs a process that is not an HTTP service, with a server for its health and metrics."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from prometheus_client import CollectorRegistry

from shared.gc_tuning import freeze_startup_objects
from shared.http.dispatch import Dispatcher
from shared.http.health import Health, health_operations
from shared.http.metrics import process_registry
from shared.http.server import listen, serve
from shared.settings import ProcessSettings

Work = Callable[[asyncio.Event, Health, CollectorRegistry], Coroutine[Any, Any, None]]
_GRACE_S: Final = 1.0


async def run_worker(settings: ProcessSettings, stop: asyncio.Event, work: Work) -> None:
    """Works until `stop` is set; serves /livez, /readyz and /metrics until the work is done.

    Raises CannotListen, and what the work raises.
    """
    listener = listen(settings.host, settings.health_port)
    registry, health, worked = process_registry(), Health(), asyncio.Event()
    app = Dispatcher(health_operations(health, registry), authenticator=None, registry=registry)
    freeze_startup_objects()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(app, listener, stop=worked, grace_seconds=_GRACE_S))
        try:
            await work(stop, health, registry)
        finally:
            worked.set()
