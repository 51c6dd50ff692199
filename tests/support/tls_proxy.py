"""TLS in front of a server that was built without it, as a side-car would put it there."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_SSL_REQUEST: Final = struct.pack(">ii", 8, 80877103)


@asynccontextmanager
async def tls_before(
    port: int, context: ssl.SSLContext, *, postgres: bool = False
) -> AsyncIterator[int]:
    """The port that speaks TLS. PostgreSQL's clients ask for it first, and are told yes."""
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            if postgres:
                await _agree(reader, writer, context)
            server = await asyncio.open_connection("127.0.0.1", port)
            await _pass_on((reader, writer), server)
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


async def _agree(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext
) -> None:
    """A client that asks for anything else wants no TLS: it is let go."""
    if await reader.readexactly(len(_SSL_REQUEST)) != _SSL_REQUEST:
        raise OSError("not encrypted")
    writer.write(b"S")
    await writer.drain()
    await writer.start_tls(context)


async def _pass_on(
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
    raise OSError("one side has ended")
