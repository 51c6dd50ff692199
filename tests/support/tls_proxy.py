"""Terminates TLS in front of a server that was built without it, like a sidecar."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_SSL_REQUEST: Final = struct.pack(">ii", 8, 80877103)


@asynccontextmanager
async def tls_proxy(
    port: int, context: ssl.SSLContext, *, postgres: bool = False
) -> AsyncIterator[int]:
    """The TLS port. PostgreSQL's clients first request TLS, and the proxy accepts."""
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            if postgres:
                await _accept_tls(reader, writer, context)
            server = await asyncio.open_connection("127.0.0.1", port)
            await _forward((reader, writer), server)
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()
            handlers.discard(task)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=None if postgres else context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in handlers:
            task.cancel()
        if handlers:
            await asyncio.wait(handlers)


async def _accept_tls(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext
) -> None:
    """Accepts a client's TLS request; raises OSError for an unencrypted connection."""
    if await reader.readexactly(len(_SSL_REQUEST)) != _SSL_REQUEST:
        raise OSError("not encrypted")
    writer.write(b"S")
    await writer.drain()
    await writer.start_tls(context)


async def _forward(
    client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_copy(client[0], server[1]))
            tasks.create_task(_copy(server[0], client[1]))
    except* OSError:
        pass
    finally:
        server[1].close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    raise OSError("one side has closed the connection")
