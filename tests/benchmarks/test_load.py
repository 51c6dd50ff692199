"""The load generator measures from when requests were due, and lets no failure pass."""

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
async def _server(answer: Callable[[int], tuple[float, bytes]]) -> AsyncIterator[int]:
    """Answers the n-th request of all, after so many seconds, so."""
    count = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                count += 1
                seconds, text = answer(count)
                await asyncio.sleep(seconds)
                writer.write(text)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_a_server_that_stalls_delays_all_requests_that_were_due_meanwhile() -> None:
    def stall_once(number: int) -> tuple[float, bytes]:
        return (0.5 if number == 20 else 0.0), _OK

    async with _server(stall_once) as port:
        found = await generate(Job(port, [get("/")], clients=1, seconds=1, rate=200))
    late = sum(latency > 0.1 for latency in found.latencies)
    assert late > 50  # one alone, were time counted from sending
    assert percentile(found.latencies, 0.99) > 0.4


async def test_clients_without_a_rate_send_as_fast_as_they_are_answered() -> None:
    async with _server(lambda number: (0.01, _OK)) as port:
        found = await generate(Job(port, [get("/")], clients=4, seconds=0.5))
    assert found.failures == {}
    assert 50 < len(found.latencies) <= 4 * 51
    assert min(found.latencies) >= 0.009


async def test_an_answer_in_pieces_is_one_answer() -> None:
    large = b"HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n" + b"x" * 300_000
    async with _server(lambda number: (0.0, large)) as port:
        found = await generate(Job(port, [get("/")], clients=2, seconds=0.2))
    assert found.failures == {}
    assert found.latencies


@pytest.mark.parametrize("status", [b"404 Not Found", b"503 Service Unavailable"])
async def test_any_answer_but_2xx_fails_the_run(status: bytes) -> None:
    refusal = b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n"
    async with _server(lambda number: (0.0, refusal if number == 30 else _OK)) as port:
        with pytest.raises(LoadFailed, match=status[:3].decode()):
            await run_job(Job(port, [get("/")], clients=2, seconds=0.3))
