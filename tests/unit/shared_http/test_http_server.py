"""One real server on a free port: what clients see at its edges, and how it stops."""

import asyncio
import contextlib
import json
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from os import getpid, kill
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from shared.http.dispatch import Dispatcher
from shared.http.messages import Request, Response
from shared.http.operations import Operation
from shared.http.server import CannotListen, listen, run, serve, stop_on_signals

Talk = Callable[[bytes], Awaitable[bytes]]


class Slow:
    """A handler that says when it was entered, and waits to be let go."""

    def __init__(self) -> None:
        self.entered, self.leave, self.done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, _request: Request) -> Response:
        self.entered.set()
        await self.leave.wait()
        self.done.set()
        return Response(200, b"slow")


async def echo(request: Request) -> Response:
    return Response(200, request.body or request.path_params.get("id", "").encode())


def operation(method: str, path: str, handler: Any) -> Operation:
    return Operation(
        method=method, path=path, handler=handler, operation_id=path, summary=path, max_body=100_000
    )


class Served:
    def __init__(self, port: int, slow: Slow, stop: asyncio.Event) -> None:
        self.port, self.slow, self.stop = port, slow, stop
        self.serving: asyncio.Task[None] | None = None

    async def talk(self, sent: bytes) -> bytes:
        """What the server says until it closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(sent)
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def served(**options: Any) -> AsyncIterator[Served]:
    slow, stop = Slow(), asyncio.Event()
    operations = [
        operation("GET", "/slow", slow),
        operation("POST", "/echo", echo),
        operation("GET", "/echo/{id}", echo),
    ]
    app = Dispatcher(operations, authenticator=None, registry=CollectorRegistry())
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    given = {"grace_seconds": 5.0, **options}
    serving = asyncio.create_task(serve(app, listener, stop=stop, **given))
    listener.listen()  # a client that comes before the server waits instead of being refused
    server = Served(port, slow, stop)
    server.serving = serving
    try:
        yield server
    finally:
        stop.set()
        await asyncio.wait_for(serving, 10)


def post(body: bytes, length: int | None = None) -> bytes:
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    return head % (len(body) if length is None else length) + body


def problem_of(received: bytes) -> str:
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    return str(json.loads(body)["type"]).rpartition("/")[2]


async def test_it_answers_without_headers_of_its_own() -> None:
    async with served() as server:
        received = await server.talk(post(b"hello"))
    assert received == (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello")


async def test_a_path_is_percent_decoded() -> None:
    async with served() as server:
        received = await server.talk(
            b"GET /echo/a%20b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
    assert received.endswith(b"\r\n\r\na b")


async def test_what_is_no_http_is_a_malformed_request() -> None:
    async with served() as server:
        for sent in (b"\x16\x03\x01 hello\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n"):
            assert problem_of(await server.talk(sent)) == "malformed-request"


async def test_an_endless_head_is_cut_off() -> None:
    async with served() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(1000):
                writer.write(b"x" * 10_000)
                await writer.drain()
            pytest.fail("it reads a head of 10 MB")
        with contextlib.suppress(ConnectionError):
            assert problem_of(await reader.read()) == "malformed-request"
        writer.close()


@pytest.mark.parametrize("sent", [b"GET /slow HT", post(b"1", length=2)], ids=["head", "body"])
async def test_a_client_that_sends_too_slowly_is_cut_off(sent: bytes) -> None:
    async with served(request_seconds=0.05) as server:
        assert problem_of(await server.talk(sent)) == "malformed-request"


async def test_a_silent_connection_is_closed_silently() -> None:
    async with served(request_seconds=0.05) as server:
        assert await server.talk(b"") == b""


async def test_a_slow_answer_is_not_a_slow_client() -> None:
    async with served(request_seconds=0.05) as server:
        request = b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        talking = asyncio.create_task(server.talk(request))
        await server.slow.entered.wait()
        asyncio.get_running_loop().call_later(0.2, server.slow.leave.set)
        assert (await talking).endswith(b"slow")


async def test_a_handler_is_finished_although_its_client_left() -> None:
    async with served() as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        await server.slow.entered.wait()
        writer.transport.abort()
        server.slow.leave.set()
        await asyncio.wait_for(server.slow.done.wait(), 5)


async def test_stopping_finishes_what_is_in_flight() -> None:
    async with served() as server:
        talking = asyncio.create_task(server.talk(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"))
        await server.slow.entered.wait()
        server.stop.set()
        asyncio.get_running_loop().call_later(0.3, server.slow.leave.set)
        assert (await talking).endswith(b"slow")
        assert server.serving is not None
        await asyncio.wait_for(server.serving, 5)
        with pytest.raises(OSError):  # noqa: PT011
            await asyncio.open_connection("127.0.0.1", server.port)


async def test_stopping_waits_no_longer_than_the_grace() -> None:
    async with served(grace_seconds=0.05) as server:
        talking = asyncio.create_task(server.talk(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"))
        await server.slow.entered.wait()
        server.stop.set()
        assert server.serving is not None
        await asyncio.wait_for(server.serving, 5)
        await talking
        assert not server.slow.done.is_set()


def test_a_taken_port_is_a_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"^HOST=127\.0\.0\.1 PORT={port}: .*in use$"):
            listen("127.0.0.1", port)


def test_a_host_that_is_not_ours_is_a_clear_error() -> None:
    with pytest.raises(CannotListen, match=r"HOST=192\.0\.2\.1 PORT=1"):
        listen("192.0.2.1", 1)


def test_sigterm_sets_the_stop_event_on_uvloop() -> None:
    async def main() -> bool:
        stop = stop_on_signals()
        kill(getpid(), signal.SIGTERM)
        await asyncio.wait_for(stop.wait(), 5)
        return stop.is_set()

    assert run(main())
