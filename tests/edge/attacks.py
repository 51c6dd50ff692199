"""What an attacker does, as endless coroutines; each uses a loopback address of its own.

`python -m tests.edge.attacks COMMAND_PORT QUERY_PORT SECONDS` runs all of them at once.
"""

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

from tests.edge.corpus import CASES

Attack = Callable[[int, str, random.Random], Awaitable[None]]
SEARCH = b"/v1/products?q=green%20tea%20zzz&limit=200"


@contextlib.asynccontextmanager
async def connection(
    port: int, address: str
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def get(path: bytes, *fields: bytes) -> bytes:
    lines = (b"GET %b HTTP/1.1" % path, b"Host: x", *fields, b"", b"")
    return b"\r\n".join(lines)


async def send(port: int, address: str, request: bytes, seconds: float = 2) -> None:
    """Sends a request, reads once, and leaves."""
    async with connection(port, address) as (reader, writer):
        writer.write(request)
        async with asyncio.timeout(seconds):
            await reader.read(65536)


async def smuggle(port: int, address: str, rng: random.Random) -> None:
    case = rng.choice(CASES)
    cut = rng.randrange(len(case.sent))
    async with connection(port, address) as (reader, writer):
        writer.write(case.sent[:cut])
        await asyncio.sleep(0.01)
        writer.write(case.sent[cut:])
        async with asyncio.timeout(0.5):
            await reader.read(65536)


async def endless_trailers(port: int, address: str, rng: random.Random) -> None:
    head = b"POST /v1/users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    async with connection(port, address) as (_, writer):
        writer.write(head)
        for _ in range(200):
            writer.write(b"".join(b"X%d: yyyyyyyyyyyyyyyyyyyy\r\n" % n for n in range(1000)))
            async with asyncio.timeout(1):
                await writer.drain()


async def pipeline_without_reading(port: int, address: str, rng: random.Random) -> None:
    async with connection(port, address) as (_, writer):
        for _ in range(200):
            writer.write(get(b"/v1/products") * 1000)
            async with asyncio.timeout(5):
                await writer.drain()


async def never_read(port: int, address: str, rng: random.Random) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(40):
            reader, writer = await stack.enter_async_context(connection(port, address))
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(get(b"/v1/products?limit=200") * 8)
        await asyncio.sleep(20)


async def crawl(port: int, address: str, rng: random.Random) -> None:
    head = b"POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
    async with contextlib.AsyncExitStack() as stack:
        writers = []
        for _ in range(100):
            _, writer = await stack.enter_async_context(connection(port, address))
            writer.write(head[: rng.randrange(10, len(head) + 1)])
            writers.append(writer)
        for _ in range(15):
            await asyncio.sleep(1)
            for writer in writers:
                writer.write(b"x")


async def large_bodies(port: int, address: str, rng: random.Random) -> None:
    head = b"POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Length: 131072\r\n\r\n"
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(200):
            _, writer = await stack.enter_async_context(connection(port, address))
            writer.write(head + b"x" * 131_000)
        await asyncio.sleep(8)


async def wait_and_leave(port: int, address: str, rng: random.Random) -> None:
    token = b"Consistency-Token: " + b";".join(b"products.%d:999999999" % n for n in range(12))
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(100):
            _, writer = await stack.enter_async_context(connection(port, address))
            writer.write(get(b"/v1/products", token, b"Prefer: wait=30"))
        await asyncio.sleep(rng.choice([0, 0.1, 5]))


async def forge_tokens(port: int, address: str, rng: random.Random) -> None:
    token = b"Authorization: Bearer eyJhbGciOiJFUzI1NiIsImtpZCI6Inh4In0.e30.%032x"
    await send(port, address, get(b"/v1/dashboard", token % rng.getrandbits(120)))


async def search(port: int, address: str, rng: random.Random) -> None:
    await send(port, address, get(SEARCH))


async def quadratic_fields(port: int, address: str, rng: random.Random) -> None:
    text = rng.choice([b"a" * 15_000 + b'"', b'"' + b'\\"' * 7_000, b'"a' + b" " * 15_000 + b'"'])
    fields = (b"Prefer: " + text, b"Consistency-Token: products.1:1")
    await send(port, address, get(b"/v1/products", *fields))


async def large_heads(port: int, address: str, rng: random.Random) -> None:
    await send(port, address, get(b"/livez", b"X: " + b"y" * rng.choice([17_000, 200_000])))


ATTACKS: tuple[Attack, ...] = (
    smuggle,
    endless_trailers,
    pipeline_without_reading,
    never_read,
    crawl,
    large_bodies,
    wait_and_leave,
    forge_tokens,
    search,
    quadratic_fields,
    large_heads,
)


async def repeat(attack: Attack, port: int, address: str, pause_s: float) -> None:
    rng = random.Random(address)
    while True:
        with contextlib.suppress(OSError, TimeoutError, EOFError):
            await attack(port, address, rng)
        await asyncio.sleep(pause_s)


async def run_all(ports: tuple[int, ...], seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as tasks:
            for index, attack in enumerate(ATTACKS):
                for which, port in enumerate(ports):
                    address = f"127.1.{which}.{index + 1}"
                    tasks.create_task(repeat(attack, port, address, pause_s=0.05))


if __name__ == "__main__":
    command_port, query_port, seconds = sys.argv[1:]
    asyncio.run(run_all((int(command_port), int(query_port)), float(seconds)))
