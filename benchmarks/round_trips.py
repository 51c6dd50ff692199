"""A TCP proxy that counts round trips: how often the client speaks after the server has spoken."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class RoundTrips:
    """`count` is what went through on all connections since it was set to 0."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self.port = 0
        self.count = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def handle(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        turn = _Turn()
        tasks = [
            asyncio.create_task(self._requests(client, to_server, turn)),
            asyncio.create_task(_answers(server, to_client, turn)),
        ]
        self._tasks.update(tasks)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        to_client.close()
        to_server.close()

    async def _requests(
        self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter, turn: "_Turn"
    ) -> None:
        while data := await client.read(1 << 20):
            self.count += turn.servers
            turn.servers = False
            to_server.write(data)
            await to_server.drain()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _Turn:
    """Whether the server spoke last, or nobody did yet."""

    servers = True


async def _answers(
    server: asyncio.StreamReader, to_client: asyncio.StreamWriter, turn: _Turn
) -> None:
    while data := await server.read(1 << 20):
        turn.servers = True
        to_client.write(data)
        await to_client.drain()


@asynccontextmanager
async def round_trips_to(port: int) -> AsyncIterator[RoundTrips]:
    """A proxy of the server on that port of 127.0.0.1."""
    proxy = RoundTrips(port)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
