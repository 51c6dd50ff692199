"""What one client, or many, can occupy: time, connections and memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from shared.http.connections import Connections
from shared.http.limits import ConnectionLimits
from tests.edge.bare_server import BIG, BareServer, Recorder, accepted, bare_server
from tests.edge.loops import on_both_loops
from tests.edge.test_server import Client, closing, connected, get, problem_of
from tests.support.waiting import until

MB = 1_000_000
GET = get("/a")


def resident_bytes() -> int:
    """The memory of this process, in which the server runs."""
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in x)
    return int(line.split()[1]) * 1024


async def until_cut_off(client: Client, block: bytes, total: int) -> int:
    """How many bytes the server takes before it stops taking them, or closes."""
    sent = 0
    with contextlib.suppress(ConnectionError, TimeoutError):
        while sent < total:
            client.writer.write(block)
            async with asyncio.timeout(1):
                await client.writer.drain()
            sent += len(block)
    return sent


async def closed_by_server(client: Client) -> bytes:
    received = bytearray()
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionError):
            while part := await client.reader.read(65536):
                received += part
    return bytes(received)


# -- heads


@pytest.mark.parametrize("size", [16_300, 70_000, 200_000])
@on_both_loops
async def test_a_head_beyond_16_kb_is_431(size: int) -> None:
    async with bare_server() as server:
        received = await server.send(closing("/a", "X: " + "y" * size))
    assert received.startswith(b"HTTP/1.1 " + (b"431 " if size > 16_384 else b"200 "))
    if size > 16_384:
        assert problem_of(received)["type"] == "about:blank"
        assert server.app.rejected == ["header-fields-too-large"]


@on_both_loops
async def test_more_than_a_hundred_fields_are_431() -> None:
    async with bare_server() as server:
        allowed = await server.send(closing("/a", *(f"X{n}: y" for n in range(98))))
        rejected = await server.send(closing("/a", *(f"X{n}: y" for n in range(99))))
    assert allowed.startswith(b"HTTP/1.1 200 ")
    assert rejected.startswith(b"HTTP/1.1 431 ")


@on_both_loops
async def test_a_target_beyond_16_kb_is_414() -> None:
    async with bare_server() as server:
        allowed = await server.send(closing("/a?" + "y" * 16_300))
        rejected = await server.send(closing("/a?" + "y" * 16_400))
    assert allowed.startswith(b"HTTP/1.1 200 ")
    assert rejected.startswith(b"HTTP/1.1 414 ")
    assert problem_of(rejected)["type"] == "about:blank"


@pytest.mark.parametrize("start", [b"", b"GET /a HTTP/1.1\r\nHost: x\r\nX: "])
@on_both_loops
async def test_an_endless_head_is_cut_off(start: bytes) -> None:
    async with bare_server() as server, connected(server) as client:
        client.writer.write(start)
        assert await until_cut_off(client, b"x" * 10_000, 20 * MB) < 10 * MB


@on_both_loops
async def test_a_head_byte_by_byte_costs_linear_time() -> None:
    async with bare_server() as server, connected(server) as client:
        request = closing("/a", "X: " + "y" * 16_000)
        for at in range(len(request)):
            client.writer.write(request[at : at + 1])
            if at % 100 == 0:
                await client.writer.drain()
        assert (await client.response()).startswith(b"HTTP/1.1 200 ")


# -- bodies


@on_both_loops
async def test_endless_trailers_are_cut_off_in_constant_memory() -> None:
    async with bare_server() as server, connected(server) as client:
        client.writer.write(get("/a", "Transfer-Encoding: chunked", method="POST") + b"0\r\n")
        before = resident_bytes()
        block = b"".join(b"X%d: yyyyyyyyyyyyyyyyyyyyyyy\r\n" % n for n in range(1000))
        assert await until_cut_off(client, block, 20 * MB) < 10 * MB
        assert resident_bytes() - before < 10 * MB
        assert server.app.handled == []


@on_both_loops
async def test_a_body_of_one_byte_chunks_costs_no_more_than_a_head() -> None:
    async with bare_server() as server:
        head = closing("/a", "Transfer-Encoding: chunked", method="POST")
        fits = await server.send(head, b"1\r\nx\r\n" * 3_000 + b"0\r\n\r\n")
        exceeds = await server.send(head, b"1\r\nx\r\n" * 4_000 + b"0\r\n\r\n")
    assert fits.endswith(b"x" * 3_000)
    assert exceeds.startswith(b"HTTP/1.1 431 ")


@on_both_loops
async def test_an_unfinished_body_does_not_reach_the_application() -> None:
    head = get("/a", "Content-Length: 100", method="POST")
    async with bare_server() as server, contextlib.AsyncExitStack() as stack:
        for _ in range(50):
            client = await stack.enter_async_context(connected(server))
            client.writer.write(head + b"x")
            await client.writer.drain()
        assert (await server.send(closing("/b"))).endswith(b"/b ")
        assert [handled.path for handled in server.app.handled] == ["/b"]


@on_both_loops
async def test_all_unfinished_bodies_together_are_bounded() -> None:
    head = get("/a", "Content-Length: 100000", method="POST")
    async with (
        bare_server(max_received_bytes=200_000) as server,
        connected(server) as first,
        connected(server) as second,
        connected(server) as third,
    ):
        for client in (first, second, third):
            client.writer.write(head + b"x" * 90_000)
        done, _ = await asyncio.wait(
            [asyncio.create_task(client.response()) for client in (first, second, third)],
            return_when=asyncio.FIRST_COMPLETED,
        )
        assert [(await task)[:13] for task in done] == [b"HTTP/1.1 503 "]
        assert server.app.rejected == ["received_bytes"]
        # complete requests are served in the meantime
        assert (await server.send(closing("/b"))).endswith(b"/b ")


@pytest.mark.parametrize("method", ["POST", "GET"])
@on_both_loops
async def test_the_body_of_a_client_that_left_is_no_longer_counted(method: str) -> None:
    app = Recorder()
    connections = Connections(app, ConnectionLimits())
    async with accepted(connections) as near:
        body = b"x" * 1000
        request = get("/wait", f"Content-Length: {len(body)}", method=method) + body
        await asyncio.get_running_loop().sock_sendall(near, request)
        await asyncio.wait_for(app.entered.wait(), 10)
        assert connections.received_bytes == len(body)

    async def is_closed() -> bool:
        return not connections.open

    await until(is_closed, "the connection is closed", seconds=10)
    app.leave.set()
    await asyncio.wait_for(connections.idle.wait(), 10)
    assert connections.received_bytes == 0


@on_both_loops
async def test_an_idle_connection_counts_no_bytes_of_its_last_request() -> None:
    connections = Connections(Recorder(), ConnectionLimits())
    loop = asyncio.get_running_loop()
    async with accepted(connections) as near:
        await loop.sock_sendall(near, get("/a", "Content-Length: 3", method="POST") + b"abc")
        assert (await loop.sock_recv(near, 1000)).endswith(b"/a abc")

        async def is_finished() -> bool:
            return not connections.tasks

        await until(is_finished, "the request is finished", seconds=10)
        assert connections.received_bytes == 0


@on_both_loops
async def test_the_request_that_has_been_arriving_for_longest_is_rejected_first() -> None:
    head = get("/a", "Content-Length: 150000", method="POST")
    async with (
        bare_server(max_received_bytes=200_000, max_body_bytes=150_000) as server,
        connected(server) as slow,
        connected(server) as fast,
    ):
        slow.writer.write(head + b"x" * 100_000)
        await slow.writer.drain()
        assert (await server.send(closing("/b"))).endswith(b"/b ")  # the part has been read
        fast.writer.write(head + b"x" * 150_000)
        assert (await fast.response()).startswith(b"HTTP/1.1 200 ")
        assert (await slow.response()).startswith(b"HTTP/1.1 503 ")


# -- time


@pytest.mark.parametrize(
    "sent",
    [b"GET /a HT", get("/a", "Content-Length: 2", method="POST") + b"1", b"\r\n"],
    ids=["head", "body", "empty line"],
)
@on_both_loops
async def test_a_client_that_sends_too_slowly_is_cut_off(sent: bytes) -> None:
    async with bare_server(request_timeout_s=0.1) as server:
        received = await server.send(sent)
    assert problem_of(received)["status"] == 400
    assert server.app.rejected == ["slow_request"]


@on_both_loops
async def test_a_client_that_sends_single_bytes_is_cut_off() -> None:
    async with bare_server(request_timeout_s=0.3) as server, connected(server) as client:

        async def crawl() -> None:
            for byte in get("/a", "X: " + "y" * 1000):
                client.writer.write(bytes([byte]))
                await asyncio.sleep(0.01)

        crawling = asyncio.create_task(crawl())
        assert (await client.response()).startswith(b"HTTP/1.1 400 ")
        crawling.cancel()


@on_both_loops
async def test_an_idle_connection_is_closed_silently() -> None:
    async with bare_server(keep_alive_timeout_s=0.05, request_timeout_s=0.1) as server:
        assert await server.send(b"") == b""
        assert (await server.send(get("/a"))).endswith(b"/a ")


@on_both_loops
async def test_a_slow_response_is_not_a_slow_client() -> None:
    async with bare_server(request_timeout_s=0.05, keep_alive_timeout_s=0.05) as server:
        sending = asyncio.create_task(server.send(closing("/wait")))
        await server.app.entered.wait()
        asyncio.get_running_loop().call_later(0.3, server.app.leave.set)
        assert (await sending).endswith(b"/wait ")


# -- clients that do not read


@on_both_loops
async def test_pipelined_requests_stay_unread_while_a_response_is_in_progress() -> None:
    async with bare_server() as server, connected(server) as client:
        client.writer.write(get("/wait"))
        await server.app.entered.wait()
        before = resident_bytes()
        await until_cut_off(client, GET * 1000, 30 * MB)
        assert resident_bytes() - before < 10 * MB
        assert len(server.app.handled) == 1


@on_both_loops
async def test_no_request_is_started_while_the_client_does_not_read() -> None:
    async with bare_server() as server, stuck(server) as client:
        assert len(server.app.handled) < 50
        del client


@contextlib.asynccontextmanager
async def stuck(server: BareServer) -> AsyncIterator[Client]:
    """A client that requested much and reads nothing; the server has stopped sending."""
    async with connected(server) as client:
        client.stop_reading()
        client.writer.write(get("/big") * 50)
        seen = -1
        while seen != len(server.app.handled) or seen < 1:
            seen = len(server.app.handled)
            await asyncio.sleep(0.05)
        yield client


@on_both_loops
async def test_a_client_that_does_not_read_is_cut_off() -> None:
    async with bare_server(send_timeout_s=0.2) as server, stuck(server):
        await server.app.until_rejected("slow_reader")


@on_both_loops
async def test_a_client_that_reads_slowly_is_not_cut_off() -> None:
    async with bare_server(send_timeout_s=0.5) as server, connected(server) as client:
        client.writer.write(get("/big") * 10 + closing("/end"))
        received = 0
        while part := await client.reader.read(50_000):
            received += len(part)
            await asyncio.sleep(0.05)
        assert received > 10 * len(BIG)
        assert server.app.rejected == []


@on_both_loops
async def test_a_stream_waits_for_its_client() -> None:
    async with bare_server(send_timeout_s=0.2) as server, connected(server) as client:
        client.stop_reading()
        before = resident_bytes()
        client.writer.write(get("/endless"))
        await asyncio.wait_for(server.app.ended.wait(), 10)
        assert server.app.rejected == ["slow_reader"]
        assert resident_bytes() - before < 20 * MB


@on_both_loops
async def test_all_unsent_responses_together_are_bounded() -> None:
    async with (
        bare_server(max_unsent_bytes=300_000) as server,
        contextlib.AsyncExitStack() as stack,
    ):
        for _ in range(6):
            client = await stack.enter_async_context(connected(server))
            client.stop_reading()
            client.writer.write(get("/big") * 50)
        await server.app.until_rejected("unsent_bytes", times=3)
        assert (await server.send(closing("/b"))).endswith(b"/b ")


# -- connections


@on_both_loops
async def test_connections_are_bounded_per_address() -> None:
    async with bare_server(max_connections_per_address=2) as server:
        async with connected(server) as first, connected(server) as second:
            for client in (first, second):
                client.writer.write(GET)
                await client.response()
            assert (await server.send(b"")).startswith(b"HTTP/1.1 503 ")
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", server.port, local_addr=("127.0.0.2", 0)
            )
            writer.write(closing("/other"))
            assert (await reader.read()).endswith(b"/other ")
            writer.close()

        async def is_served() -> bool:
            return (await server.send(closing("/b"))).endswith(b"/b ")

        await until(is_served, "a place is free again", seconds=5)
    assert set(server.app.rejected) == {"connections_per_address"}


@on_both_loops
async def test_connections_of_one_address_take_no_places_of_others() -> None:
    async with (
        bare_server(max_connections_per_address=2, max_connections=100) as server,
        contextlib.AsyncExitStack() as stack,
    ):
        for _ in range(150):
            await stack.enter_async_context(connected(server))
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.port, local_addr=("127.0.0.2", 0)
        )
        writer.write(closing("/other"))
        assert (await reader.read()).endswith(b"/other ")
        writer.close()
    assert set(server.app.rejected) == {"connections_per_address"}


@on_both_loops
async def test_connections_are_bounded_in_total() -> None:
    async with (
        bare_server(max_connections=2) as server,
        connected(server) as first,
        connected(server) as second,
    ):
        for client in (first, second):
            client.writer.write(GET)
            await client.response()
        rejected = await server.send(b"")
    assert problem_of(rejected)["status"] == 503
    assert b"retry-after: " in rejected
    assert server.app.rejected == ["connections"]


@on_both_loops
async def test_a_trusted_proxy_names_the_client() -> None:
    proxies = (ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"))
    forwarded = {
        "X-Forwarded-For: 198.51.100.7": "198.51.100.7",
        "X-Forwarded-For: 192.0.2.1, 198.51.100.7, 10.0.0.3": "198.51.100.7",
        "X-Forwarded-For: nonsense, 10.0.0.3": "10.0.0.3",
        "X-Forwarded-For: nonsense": "127.0.0.1",
        "X: y": "127.0.0.1",
    }
    async with (
        bare_server(max_connections_per_address=1, trusted_proxies=proxies) as server,
        connected(server) as kept,
    ):
        kept.writer.write(GET)
        await kept.response()
        for line in forwarded:
            assert (await server.send(closing("/a", line))).endswith(b"/a ")
    assert server.app.addresses[1:] == list(forwarded.values())
    async with bare_server() as server:
        await server.send(closing("/a", "X-Forwarded-For: 198.51.100.7"))
        assert server.app.addresses == ["127.0.0.1"]
