"""A TCP proxy for the link between two processes, which can be interrupted in each direction."""

import asyncio
from typing import Literal

Direction = Literal["to server", "to client"]


class LinkProxy:
    """Forwards all data until `block`, `drop` or `reject_connections`, and again after `restore`.

    A blocked direction discards data without an error, like an unplugged cable. Connections that
    lost data are closed by `restore`.
    """

    def __init__(self, name: str, target_port: int, port: int = 0) -> None:
        self.name = name
        self.target_port = target_port
        self.port = port
        self._blocked: set[Direction] = set()
        self._rejecting = False
        self._open: dict[asyncio.StreamWriter, bool] = {}
        self._server: asyncio.Server | None = None
        self._handlers: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._handle, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.drop()
        if self._handlers:
            await asyncio.wait(self._handlers, timeout=5)

    def block(self, *directions: Direction) -> None:
        self._blocked |= set(directions)

    def reject_connections(self) -> None:
        """Close all connections, and every new one at once."""
        self._rejecting = True
        self.drop()

    def restore(self) -> None:
        """Forward all data again, and close connections that lost data."""
        self._blocked.clear()
        self._rejecting = False
        for writer, damaged in list(self._open.items()):
            if damaged:
                writer.close()

    def drop(self) -> None:
        """Close all connections."""
        for writer in list(self._open):
            writer.close()

    async def _handle(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)
        if self._rejecting:
            to_client.close()
            return
        try:
            server, to_server = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            to_client.close()
            return
        self._open[to_client] = self._open[to_server] = False
        tasks = [
            asyncio.create_task(self._forward("to server", client, to_server, to_client)),
            asyncio.create_task(self._forward("to client", server, to_client, to_server)),
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for writer in (to_server, to_client):
            self._open.pop(writer, None)
            writer.close()
        await asyncio.wait(tasks, timeout=5)

    async def _forward(
        self,
        direction: Direction,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        other: asyncio.StreamWriter,
    ) -> None:
        try:
            while data := await source.read(65536):
                if direction in self._blocked:
                    self._open[sink] = self._open[other] = True
                    continue
                sink.write(data)
                await sink.drain()
        except OSError:
            return
