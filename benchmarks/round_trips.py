"""A TCP proxy that counts round trips: requests that follow a reply."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class RoundTripCounter:
    """`count` includes all connections."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self.port = 0
        self.count = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def handle(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        order = _LastSender()
        tasks = [
            asyncio.create_task(self._forward_requests(client, to_server, order)),
            asyncio.create_task(_forward_replies(server, to_client, order)),
        ]
        self._tasks.update(tasks)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        to_client.close()
        to_server.close()

    async def _forward_requests(
        self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter, order: "_LastSender"
    ) -> None:
        while data := await client.read(1 << 20):
            self.count += order.is_server
            order.is_server = False
            to_server.write(data)
            await to_server.drain()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _LastSender:
    """Before the first request it is the server, so that the request counts."""

    is_server = True


async def _forward_replies(
    server: asyncio.StreamReader, to_client: asyncio.StreamWriter, order: _LastSender
) -> None:
    while data := await server.read(1 << 20):
        order.is_server = True
        to_client.write(data)
        await to_client.drain()


@asynccontextmanager
async def count_round_trips(port: int) -> AsyncIterator[RoundTripCounter]:
    """A proxy to the server on that port of 127.0.0.1."""
    proxy = RoundTripCounter(port)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
