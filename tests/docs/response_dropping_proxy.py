"""A proxy that loses answers: what was asked is done, and whoever asked never hears of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count


@asynccontextmanager
async def response_dropping_proxy(port: int) -> AsyncIterator[int]:
    """The port of a proxy for the one given. Of its connections, every second passes one answer on
    and loses the next; the others lose their first.
    """
    numbers = count()

    async def handle(asks: asyncio.StreamReader, hears: asyncio.StreamWriter) -> None:
        passes = next(numbers) % 2
        answers, request = await asyncio.open_connection("127.0.0.1", port)
        passing = asyncio.create_task(_pass_on(asks, request))
        try:
            for _ in range(passes):
                hears.write(await _answer(answers))
                await hears.drain()
            await _answer(answers)
        except asyncio.IncompleteReadError:
            pass
        finally:
            passing.cancel()
            request.close()
            hears.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    [length] = [
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    return head + await reader.readexactly(length)
