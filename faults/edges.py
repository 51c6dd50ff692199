"""A TCP proxy for one way between two processes, which can be cut in either direction."""

import asyncio
from typing import Literal

Direction = Literal["to server", "to client"]


class Edge:
    """Passes everything on, until `block` lets nothing more through, or `drop` ends connections.

    A blocked direction swallows what is sent: neither side is told, as when a cable is pulled.
    What was swallowed is gone, so connections that met a block are ended when it is lifted.
    """

    def __init__(self, name: str, target_port: int, port: int = 0) -> None:
        self.name = name
        self.target_port = target_port
        self.port = port
        self._blocked: set[Direction] = set()
        self._refusing = False
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

    def refuse(self) -> None:
        """New connections are ended at once, as are those there are."""
        self._refusing = True
        self.drop()

    def heal(self) -> None:
        """Everything passes again; connections that lost something are ended."""
        self._blocked.clear()
        self._refusing = False
        for writer, damaged in list(self._open.items()):
            if damaged:
                writer.close()

    def drop(self) -> None:
        """Ends every connection that there is."""
        for writer in list(self._open):
            writer.close()

    async def _handle(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)
        if self._refusing:
            answers.close()
            return
        try:
            server, requests = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            answers.close()
            return
        self._open[answers] = self._open[requests] = False
        ways = [
            asyncio.create_task(self._pass("to server", client, requests, answers)),
            asyncio.create_task(self._pass("to client", server, answers, requests)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for writer in (requests, answers):
            self._open.pop(writer, None)
            writer.close()
        await asyncio.wait(ways, timeout=5)

    async def _pass(
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
