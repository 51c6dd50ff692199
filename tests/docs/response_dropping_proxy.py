"""A proxy that drops responses: the request is executed, but its client receives no response."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count


@asynccontextmanager
async def response_dropping_proxy(port: int) -> AsyncIterator[int]:
    """The port of a proxy for the given one. Every second connection forwards one response and
    drops the next; the others drop their first.
    """
    numbers = count()

    async def handle(requests: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        forwarded = next(numbers) % 2
        responses, server = await asyncio.open_connection("127.0.0.1", port)
        forwarding = asyncio.create_task(_forward(requests, server))
        try:
            for _ in range(forwarded):
                client.write(await _read_response(responses))
                await client.drain()
            await _read_response(responses)
        except asyncio.IncompleteReadError:
            pass
        finally:
            forwarding.cancel()
            server.close()
            client.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def _read_response(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    [length] = [
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    return head + await reader.readexactly(length)
