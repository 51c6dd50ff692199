"""One server on a free port: what clients see of it, and how it stops."""

import asyncio
import contextlib
import json
import re
import signal
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from os import getpid, kill
from typing import cast

import pytest
import structlog

from shared.http.server import CannotListen, listen, run, stop_on_signals
from tests.edge.bare_server import BIG, BareServer, bare_server
from tests.edge.loops import on_both_loops

WAIT = b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def get(path: str, *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: x", *fields, "", ""]
    return "\r\n".join(lines).encode()


def closing(path: str, *fields: str, method: str = "GET") -> bytes:
    return get(path, "Connection: close", *fields, method=method)


def problem_of(received: bytes) -> dict[str, object]:
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    document: dict[str, object] = json.loads(body)
    return document


class Client:
    """A connection whose responses are read one at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def stop_reading(self) -> None:
        cast("asyncio.Transport", self.writer.transport).pause_reading()

    async def response(self) -> bytes:
        async with asyncio.timeout(10):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            return head + await self.reader.readexactly(length)


def without_date(response: bytes) -> bytes:
    """Without the line that changes every second."""
    return re.sub(rb"date: [^\r]*\r\n", b"", response, count=1)


@contextlib.asynccontextmanager
async def connected(server: BareServer) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


@on_both_loops
async def test_a_response_has_the_headers_of_the_application_and_its_length() -> None:
    async with bare_server() as server:
        received = await server.send(closing("/a"))
    assert without_date(received) == (
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\n/a "
    )


@on_both_loops
async def test_a_response_has_the_time_at_which_it_was_sent() -> None:
    async with bare_server() as server:
        received = await server.send(closing("/a"))
    [line] = [line for line in received.split(b"\r\n") if line.startswith(b"date: ")]
    assert line.endswith(b" GMT")
    sent = parsedate_to_datetime(line.removeprefix(b"date: ").decode())
    assert abs((datetime.now(UTC) - sent).total_seconds()) < 60


@on_both_loops
async def test_a_connection_serves_many_requests() -> None:
    async with bare_server() as server, connected(server) as client:
        for path in ("/a", "/b", "/c"):
            client.writer.write(get(path))
            assert (await client.response()).endswith(path.encode() + b" ")


@on_both_loops
async def test_pipelined_requests_get_their_responses_in_order() -> None:
    async with bare_server() as server, connected(server) as client:
        client.writer.write(b"".join(get(f"/{n}") for n in range(500)))
        for n in range(500):
            assert (await client.response()).endswith(b"/%d " % n)


@on_both_loops
async def test_http_1_0_closes_unless_it_requests_keep_alive() -> None:
    async with bare_server() as server:
        received = await server.send(get("/a", version="1.0"))
        assert b"connection: close" in received
        async with connected(server) as client:
            client.writer.write(get("/a", "Connection: keep-alive", version="1.0"))
            assert b"connection: keep-alive" in await client.response()
            client.writer.write(get("/b", version="1.0"))
            assert b"connection: close" in await client.response()


@on_both_loops
async def test_a_path_is_percent_decoded_but_for_its_slashes() -> None:
    async with bare_server() as server:
        await server.send(closing("/a%20b%2Fc%2fd/%70?x=%20"))
    assert server.app.handled[0].path == "/a b%2Fc%2Fd/p"


@on_both_loops
async def test_head_has_the_headers_of_get_and_no_body() -> None:
    async with bare_server() as server:
        got, head = [await server.send(closing("/big", method=m)) for m in ("GET", "HEAD")]
    assert without_date(head) == without_date(got.removesuffix(BIG))
    assert b"content-length: 200000" in head


@on_both_loops
async def test_not_modified_has_no_length() -> None:
    async with bare_server() as server:
        received = await server.send(closing("/unchanged"))
    assert b"content-length" not in received


@on_both_loops
async def test_each_response_repeats_the_trace_context_of_its_request() -> None:
    field = f"traceparent: {TRACE.decode()}"
    async with bare_server() as server:
        for path in ("/a", "/unchanged", "/short-stream"):
            received = await server.send(closing(path, field))
            assert b"traceparent: " + TRACE in received, path
        slow = get("/a", field, "Content-Length: 5", method="POST")
        async with connected(server) as client:
            client.writer.write(slow.replace(b"Content-Length: 5", b"Transfer-Encoding: chunked"))
            client.writer.write(b"GARBAGE\r\n")
            assert b"traceparent: " + TRACE in await client.response()
        assert b"traceparent" not in await server.send(closing("/a", "traceparent: nonsense"))


@on_both_loops
async def test_a_client_that_expects_it_is_prompted_to_continue() -> None:
    head = get("/a", "Expect: 100-continue", "Content-Length: 5", method="POST")
    async with bare_server() as server, connected(server) as client:
        client.writer.write(head)
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.writer.write(b"hello")
        assert (await client.response()).endswith(b"/a hello")


@on_both_loops
async def test_a_body_beyond_the_maximum_is_rejected_before_it_is_read() -> None:
    async with bare_server(max_body_bytes=5) as server:
        for field, body in (
            ("Content-Length: 6", b""),
            ("Content-Length: 6", b"123456"),
            ("Content-Length: 999999999999999", b"123456"),
            ("Transfer-Encoding: chunked", b"6\r\n"),
            ("Transfer-Encoding: chunked", b"3\r\nabc\r\n3\r\n"),
            ("Expect: 100-continue\r\nContent-Length: 6", b""),
        ):
            received = await server.send(get("/a", field, method="POST") + body)
            assert received.startswith(b"HTTP/1.1 413 "), field
        received = await server.send(closing("/a", "Content-Length: 5", method="POST") + b"12345")
        assert received.endswith(b"12345")


@on_both_loops
async def test_a_client_that_sends_a_large_body_still_gets_its_response() -> None:
    async with bare_server() as server:
        body = b"x" * 900_000
        head = get("/a", f"Content-Length: {len(body)}", method="POST")
        assert (await server.send(head, body)).startswith(b"HTTP/1.1 413 ")


@on_both_loops
async def test_a_response_header_with_a_line_break_is_never_sent() -> None:
    with structlog.testing.capture_logs() as logs:
        async with bare_server() as server:
            assert await server.send(closing("/bad-header")) == b""
    assert logs[0]["event"] == "response_failed"


@on_both_loops
async def test_a_stream_is_sent_in_chunks_and_ends() -> None:
    async with bare_server() as server:
        received = await server.send(closing("/short-stream"))
        assert received.endswith(b"\r\n\r\n" + b"4\r\ntick\r\n" * 3 + b"0\r\n\r\n")
        old = await server.send(get("/short-stream", version="1.0"))
        assert old.endswith(b"\r\n\r\n" + b"tick" * 3)
        head = await server.send(closing("/short-stream", method="HEAD"))
        assert head.endswith(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head


@on_both_loops
async def test_a_stream_that_fails_is_left_unfinished() -> None:
    with structlog.testing.capture_logs() as logs:
        async with bare_server() as server, connected(server) as client:
            client.writer.write(get("/failing-stream"))
            received = b""
            with contextlib.suppress(ConnectionError):
                received = await client.reader.read(-1)
    assert b"0\r\n\r\n" not in received
    assert "ada@" not in str(logs)


@on_both_loops
async def test_a_stream_ends_when_its_client_leaves() -> None:
    async with bare_server() as server:
        async with connected(server) as client:
            client.writer.write(get("/ticks"))
            await client.reader.readuntil(b"tick")
        await asyncio.wait_for(server.app.ended.wait(), 5)


@on_both_loops
async def test_a_stream_ends_well_when_the_server_stops() -> None:
    async with bare_server() as server, connected(server) as client:
        client.writer.write(get("/ticks"))
        await client.reader.readuntil(b"tick\r\n")
        server.stop.set()
        assert await client.reader.read() == b"0\r\n\r\n"
        await asyncio.wait_for(server.serving, 5)


@pytest.mark.parametrize("leave", ["abort", "close"])
@on_both_loops
async def test_a_read_is_cancelled_when_its_client_leaves(leave: str) -> None:
    async with bare_server() as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(WAIT)
        await server.app.entered.wait()
        writer.transport.abort() if leave == "abort" else writer.close()
        await asyncio.wait_for(server.app.ended.wait(), 5)
        assert server.app.cancelled == 1


@on_both_loops
async def test_a_command_is_finished_although_its_client_left() -> None:
    async with bare_server() as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(WAIT.replace(b"GET", b"POST"))
        await server.app.entered.wait()
        writer.transport.abort()
        server.stop.set()  # the server waits for it, although it has no connection any more
        await asyncio.sleep(0.05)
        assert not server.serving.done()
        server.app.leave.set()
        await asyncio.wait_for(server.serving, 5)
        assert server.app.ended.is_set()
        assert server.app.cancelled == 0


@on_both_loops
async def test_stopping_finishes_what_is_in_progress() -> None:
    async with bare_server() as server, connected(server) as client, connected(server) as idle:
        client.writer.write(WAIT)
        await server.app.entered.wait()
        server.stop.set()
        assert await idle.reader.read() == b""
        server.app.leave.set()
        assert b"connection: close" in await client.response()
        await asyncio.wait_for(server.serving, 5)
        with pytest.raises(OSError):  # noqa: PT011
            await asyncio.open_connection("127.0.0.1", server.port)


@on_both_loops
async def test_stopping_finishes_a_request_that_has_begun() -> None:
    async with bare_server() as server, connected(server) as client:
        request = get("/a", "Content-Length: 5", method="POST")
        client.writer.write(get("/first"))
        await client.response()
        client.writer.write(request)
        client.writer.write(b"he")
        other = await server.send(closing("/b"))  # by now the part has arrived
        assert other.endswith(b"/b ")
        server.stop.set()
        client.writer.write(b"llo")
        assert (await client.response()).endswith(b"/a hello")


@on_both_loops
async def test_stopping_waits_no_longer_than_the_grace() -> None:
    async with bare_server(grace_seconds=0.05) as server, connected(server) as client:
        client.writer.write(WAIT)
        await server.app.entered.wait()
        server.stop.set()
        await asyncio.wait_for(server.serving, 5)
        assert server.app.cancelled == 1


def test_a_taken_port_is_a_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"^HOST=127\.0\.0\.1 PORT={port}: .*in use$"):
            listen("127.0.0.1", port)


def test_a_host_that_is_not_local_is_a_clear_error() -> None:
    with pytest.raises(CannotListen, match=r"HOST=192\.0\.2\.1 PORT=1"):
        listen("192.0.2.1", 1)


def test_sigterm_sets_the_stop_event_on_uvloop() -> None:
    async def main() -> bool:
        stop = stop_on_signals()
        kill(getpid(), signal.SIGTERM)
        await asyncio.wait_for(stop.wait(), 5)
        return stop.is_set()

    assert run(main())
