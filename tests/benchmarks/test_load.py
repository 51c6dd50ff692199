"""The load generator measures from the due time of requests, and reports every failure."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from benchmarks.load.generator import generate
from benchmarks.load.job import Job, LoadFailed, percentile, run_job
from benchmarks.load.requests import get

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def _server(respond: Callable[[int], tuple[float, bytes]]) -> AsyncIterator[int]:
    """`respond` maps the number of a request to a delay in seconds and a response."""
    count = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                count += 1
                seconds, response = respond(count)
                await asyncio.sleep(seconds)
                writer.write(response)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_a_stall_delays_all_requests_that_are_due_during_it() -> None:
    def stall_once(number: int) -> tuple[float, bytes]:
        return (0.5 if number == 20 else 0.0), _OK

    async with _server(stall_once) as port:
        result = await generate(Job(port, [get("/")], clients=1, seconds=1, rate=200))
    late = sum(latency > 0.1 for latency in result.latencies)
    assert late > 50  # 1 if latencies started at sending
    assert percentile(result.latencies, 0.99) > 0.4


async def test_without_a_rate_each_client_sends_after_the_last_response() -> None:
    async with _server(lambda number: (0.01, _OK)) as port:
        result = await generate(Job(port, [get("/")], clients=4, seconds=0.5))
    assert result.failures == {}
    assert 50 < len(result.latencies) <= 4 * 51
    assert min(result.latencies) >= 0.009


async def test_a_response_in_fragments_is_one_response() -> None:
    large = b"HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n" + b"x" * 300_000
    async with _server(lambda number: (0.0, large)) as port:
        result = await generate(Job(port, [get("/")], clients=2, seconds=0.2))
    assert result.failures == {}
    assert result.latencies


@pytest.mark.parametrize("status", [b"404 Not LoadResult", b"503 Service Unavailable"])
async def test_a_response_other_than_2xx_fails_the_run(status: bytes) -> None:
    rejection = b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n"
    async with _server(lambda number: (0.0, rejection if number == 30 else _OK)) as port:
        with pytest.raises(LoadFailed, match=status[:3].decode()):
            await run_job(Job(port, [get("/")], clients=2, seconds=0.3))
