"""A service that is called over HTTP: its public port, and optionally a port for operations."""

import asyncio
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry

from shared.http.authentication import Authenticator
from shared.http.dispatch import Dispatcher
from shared.http.health import Health, health_operations
from shared.http.index import HEALTH_LINKS, index_operation
from shared.http.jwks import KeySet
from shared.http.operations import Operation
from shared.http.server import listen, serve
from shared.http.settings import HttpSettings


class HttpService:
    """Binds its ports at once, and serves later. Raises CannotListen.

    Health checks and metrics are on the public port unless OPERATIONS_PORT is set.
    """

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._public = listen(settings.host, settings.port)
        self._operations = None
        if settings.operations_port is not None:
            try:
                self._operations = listen(settings.host, settings.operations_port)
            except BaseException:
                self._public.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._public.close()
        if self._operations is not None:
            self._operations.close()

    async def serve(
        self,
        operations: Iterable[Operation],
        *,
        name: str,
        links: Mapping[str, str],
        keys: KeySet,
        health: Health,
        registry: CollectorRegistry,
        stop: asyncio.Event,
        grace_seconds: float,
        waiting_requests: int = 0,
    ) -> None:
        """Serves until `stop` is set and the requests in progress are finished.

        `GET /` responds with the `name` of the service, and `links`: names and paths.
        `waiting_requests` may be in progress beyond the maximum, because they only wait.
        """
        settings, checks = self._settings, health_operations(health, registry)
        if self._operations is None:
            operations, links = [*operations, *checks], {**links, **HEALTH_LINKS}
        authenticator = Authenticator(
            keys, issuer=settings.jwt_issuer, audience=settings.jwt_audience
        )
        app = Dispatcher(
            [*operations, index_operation(name, links)],
            authenticator=authenticator,
            registry=registry,
            max_in_flight=settings.max_requests_in_progress + waiting_requests,
            rate_limits=settings.rate_limits(),
        )
        drained = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            if self._operations is not None:
                internal = Dispatcher(checks, authenticator=None, registry=CollectorRegistry())
                tasks.create_task(
                    serve(internal, self._operations, stop=drained, grace_seconds=1.0)
                )
            try:
                await serve(
                    app,
                    self._public,
                    stop=stop,
                    grace_seconds=grace_seconds,
                    limits=settings.connection_limits(),
                )
            finally:
                drained.set()
