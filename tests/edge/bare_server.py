"""The HTTP server on a free port with an application that records its requests."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from shared.http.connection import Connection
from shared.http.connections import Connections
from shared.http.framing import RequestHead
from shared.http.limits import ConnectionLimits
from shared.http.messages import AnyResponse, Response, StreamWriter, problem_response
from shared.http.problems import Problem
from shared.http.server import listen, serve

BIG = b"x" * 200_000


@dataclass
class Handled:
    """A request as the application received it."""

    method: str
    path: str
    body: bytes | None
    fields: list[tuple[bytes, bytes]] = field(default_factory=list, compare=False)


class Ticks:
    """A stream that writes until it is cancelled, or a fixed number of parts."""

    status = 200

    def __init__(self, recorder: "Recorder", part: bytes, count: int, *, fails: bool) -> None:
        self.headers = [(b"content-type", b"text/event-stream")]
        self._recorder, self._part, self._count, self._fails = recorder, part, count, fails

    async def stream(self, writer: StreamWriter) -> None:
        try:
            for _ in range(self._count):
                await writer.write(self._part)
            if self._fails:
                raise RuntimeError("ada@example.com")
            if self._count == 1:
                await asyncio.Event().wait()
        finally:
            self._recorder.ended.set()


class Recorder:
    """Responds at once, except to `/wait` (waits for `leave`) and to the streams."""

    def __init__(self) -> None:
        self.handled: list[Handled] = []
        self.rejected: list[str] = []
        self.addresses: list[str] = []
        self.entered, self.leave = asyncio.Event(), asyncio.Event()
        self.ended, self.changed = asyncio.Event(), asyncio.Event()
        self.cancelled = 0

    async def handle(self, head: RequestHead, body: bytes | None, address: str) -> AnyResponse:
        fields = list(head.headers.lines)
        self.handled.append(Handled(head.method, head.path, body, fields))
        self.addresses.append(address)
        self.entered.set()
        match head.path:
            case "/wait":
                await self._wait()
            case "/big":
                return Response(200, BIG)
            case "/unchanged":
                return Response(304, b"", [(b"etag", b'"1"')])
            case "/bad-header":
                return Response(200, b"", [(b"x", b"a\r\nb: c")])
            case "/ticks":
                return Ticks(self, b"tick", 1, fails=False)
            case "/short-stream":
                return Ticks(self, b"tick", 3, fails=False)
            case "/failing-stream":
                return Ticks(self, b"tick", 3, fails=True)
            case "/endless":
                return Ticks(self, BIG, 10_000, fails=False)
        if body is None:
            return Response(413)
        return Response(200, b"%s %s" % (head.path.encode(), body))

    def reject(self, problem: Problem, address: str | None) -> Response:
        self.count_rejected(problem.name)
        return problem_response(problem)

    def count_rejected(self, reason: str) -> None:
        self.rejected.append(reason)
        self.changed.set()

    async def until_rejected(self, reason: str, times: int = 1) -> None:
        async with asyncio.timeout(10):
            while self.rejected.count(reason) < times:
                self.changed.clear()
                await self.changed.wait()

    async def _wait(self) -> None:
        try:
            await self.leave.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.ended.set()


@dataclass
class BareServer:
    port: int
    app: Recorder
    stop: asyncio.Event
    serving: "asyncio.Task[None]"

    async def send(self, *parts: bytes) -> bytes:
        """What the server sends until it closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def bare_server(*, grace_seconds: float = 5.0, **limits: Any) -> AsyncIterator[BareServer]:
    app, stop = Recorder(), asyncio.Event()
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    serving = asyncio.create_task(
        serve(
            app,
            listener,
            stop=stop,
            grace_seconds=grace_seconds,
            limits=ConnectionLimits(**limits),
        )
    )
    listener.listen()  # a client that connects before the server accepts waits
    try:
        yield BareServer(port, app, stop, serving)
    finally:
        stop.set()
        app.leave.set()
        await asyncio.wait_for(serving, 10)


@contextlib.asynccontextmanager
async def accepted(connections: Connections) -> AsyncIterator[socket.socket]:
    """The client's end of a connection, which it closes on exit."""
    near, far = socket.socketpair()
    near.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.connect_accepted_socket(lambda: Connection(connections), far)
    try:
        yield near
    finally:
        near.close()


class Segments:
    """One connection over a socket pair whose bytes arrive at the server in the given segments."""

    def __init__(self, app: Recorder) -> None:
        self.connections = Connections(app, ConnectionLimits())

    async def send(self, segments: list[bytes]) -> bytes:
        """What the server sends until it closes, or until every request got its response."""
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        loop = asyncio.get_running_loop()
        observed = _Observed(self.connections)
        transport, _ = await loop.connect_accepted_socket(lambda: observed, far)
        try:
            for segment in segments:
                await loop.sock_sendall(near, segment)
                await observed.took(len(segment))
            await observed.settled()
            transport.close()
            received = bytearray()
            while part := await loop.sock_recv(near, 65536):
                received += part
            return bytes(received)
        finally:
            near.close()
            transport.abort()


class _Observed(Connection):
    """Reports when bytes were read and when nothing is in progress."""

    def __init__(self, server: Connections) -> None:
        super().__init__(server)
        self._taken = self._expected = 0
        self._changed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self._taken += len(data)
        super().data_received(data)
        self._changed.set()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._taken = 1 << 60
        self._changed.set()

    def _finish(self, head: RequestHead) -> None:
        super()._finish(head)
        self._changed.set()

    async def took(self, count: int) -> None:
        self._expected += count
        async with asyncio.timeout(10):
            while self._taken < self._expected:
                self._changed.clear()
                await self._changed.wait()

    async def settled(self) -> None:
        async with asyncio.timeout(10):
            while self._task is not None:
                self._changed.clear()
                await self._changed.wait()
