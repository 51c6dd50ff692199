"""The connections of one server: what they occupy together, and when they are cut off."""

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from shared.http.framing import RequestHead
from shared.http.limits import ConnectionLimits
from shared.http.messages import AnyResponse, Response
from shared.http.problems import Problem


class Application(Protocol):
    """What produces the responses."""

    def handle(self, head: RequestHead, body: bytes | None, address: str) -> Awaitable[AnyResponse]:
        """The response to a complete request; `body` is None if it is too large.

        Never raises. It is cancelled if the client of a GET or HEAD request leaves.
        """

    def reject(self, problem: Problem, address: str | None) -> Response:
        """The response to a request that cannot be read. None: the client is unknown."""
        ...

    def count_rejected(self, reason: str) -> None:
        """Something was rejected, or a client was cut off, before a request was handled."""


class OpenConnection(Protocol):
    """What `Connections` requires of each connection."""

    def check_time(self, now: float) -> None:
        """Cuts the client off if its time is over."""

    def stop(self) -> None:
        """Closes the connection if it is idle, or ends its stream."""

    def cut_off(self) -> None:
        """Closes at once. A command that is in progress is finished all the same."""

    def reject_unfinished(self) -> None:
        """Responds 503 to a request that is still arriving; cuts off if one is in progress."""


class Connections:
    """All connections of one server, and what they occupy together."""

    def __init__(self, application: Application, limits: ConnectionLimits) -> None:
        self.application = application
        self.limits = limits
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time()
        """Advanced by `sweep`: a timeout needs no better clock."""
        self.open: set[OpenConnection] = set()
        self.by_network: dict[str, int] = {}
        self.congested: dict[OpenConnection, None] = {}
        """Those whose client does not take what was sent, the longest-waiting first."""
        self.receiving: dict[OpenConnection, None] = {}
        """Those with an unfinished request, the longest-receiving first."""
        self.received_bytes = 0
        self.unsent_bytes = 0
        self.tasks: set[asyncio.Task[None]] = set()
        """Requests whose response is not finished, also of clients that left."""
        self.stopping = False
        self.idle = asyncio.Event()
        self.idle.set()

    def sweep(self) -> None:
        """Cuts off the clients whose time is over. Runs about once a second."""
        self.now = self.loop.time()
        for connection in list(self.open):
            connection.check_time(self.now)

    def stop(self) -> None:
        """Closes idle connections and ends streams; other connections close after a response."""
        self.stopping = True
        for connection in list(self.open):
            connection.stop()

    async def cancel(self) -> None:
        """Cancels what is still in progress, and closes all connections."""
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        for connection in list(self.open):
            connection.cut_off()
        if tasks:
            await asyncio.wait(tasks)
        self.tasks.clear()
        self.update_idle()
        await self.idle.wait()

    def update_idle(self) -> None:
        """`idle` is set while there is no connection and no request."""
        if self.open or self.tasks:
            self.idle.clear()
        else:
            self.idle.set()

    def shed_unsent(self) -> None:
        """Cuts off the clients that have not read for longest, until the rest fits."""
        while self.unsent_bytes > self.limits.max_unsent_bytes and self.congested:
            self.application.count_rejected("unsent_bytes")
            next(iter(self.congested)).cut_off()

    def shed_received(self, growing: OpenConnection) -> None:
        """Rejects the requests that have been arriving for longest, until the rest fits."""
        while self.received_bytes > self.limits.max_received_bytes:
            self.application.count_rejected("received_bytes")
            victim = next(iter(self.receiving), growing)
            self.receiving.pop(victim, None)
            victim.reject_unfinished()
            if victim is growing:
                return
