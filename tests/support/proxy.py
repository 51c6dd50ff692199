"""A TCP proxy on 127.0.0.1 that can cut a connection around a COMMIT."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

Cut = Literal["never", "before", "after"]
_COMMIT = b"COMMIT;"


class CommitProxy:
    """Forwards everything. `cut` closes the connection of the next COMMIT: before the server gets
    it, or after the server has replied and before the client gets the reply.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.cut: Cut = "never"
        self.cuts = 0
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._handlers: set[asyncio.Task[None] | None] = set()

    async def handle(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self._handlers.add(asyncio.current_task())
        server, to_server = await asyncio.open_connection(*self._target)
        self._writers |= {to_client, to_server}
        muted = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._requests(client, to_server, muted))
                tasks.create_task(_replies(server, to_client, muted))
        except* (_Cut, OSError):
            pass
        finally:
            for writer in (to_client, to_server):
                writer.close()
                self._writers.discard(writer)

    async def _requests(
        self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter, muted: asyncio.Event
    ) -> None:
        while data := await client.read(65536):
            if self.cut != "never" and _COMMIT in data:
                cut, self.cut = self.cut, "never"
                self.cuts += 1
                if cut == "before":
                    raise _Cut
                muted.set()
            to_server.write(data)
            await to_server.drain()
        raise _Cut

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
        if handlers := [task for task in self._handlers if task is not None]:
            await asyncio.wait(handlers, timeout=5)


class _Cut(Exception):
    pass


async def _replies(
    server: asyncio.StreamReader, to_client: asyncio.StreamWriter, muted: asyncio.Event
) -> None:
    while data := await server.read(65536):
        if muted.is_set():
            raise _Cut
        to_client.write(data)
        await to_client.drain()
    raise _Cut


@asynccontextmanager
async def commit_proxy(host: str, port: int) -> AsyncIterator[CommitProxy]:
    proxy = CommitProxy(host, port)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
