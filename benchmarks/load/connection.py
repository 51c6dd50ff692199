"""A keep-alive connection with one request in flight, at the minimum cost in Python."""

import asyncio
import re
from collections.abc import Callable
from typing import Final, cast

_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_HEAD_END: Final = b"\r\n\r\n"

OnResponse = Callable[["Connection", bytes], None]


class Connection(asyncio.Protocol):
    """Calls `on_response` with each complete response; with b"" if the connection was lost."""

    def __init__(self, on_response: OnResponse) -> None:
        self._on_response = on_response
        self._received = b""
        self.due = 0.0
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes, due: float) -> None:
        self.due, self.busy = due, True
        self.transport.write(request)

    def close(self) -> None:
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        head = received.find(_HEAD_END)
        length = _LENGTH.search(received, 0, head) if head >= 0 else None
        if length is None or len(received) < head + 4 + int(length[1]):
            self._received = received
            return
        self._received = b""
        self.busy = False
        self._on_response(self, received)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.busy:
            self.busy = False
            self._on_response(self, b"")
