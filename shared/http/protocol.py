"""Bounds what uvicorn's HTTP/1.1 protocol leaves open: a head's size, a request's duration."""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from shared.http.messages import ResponseHeaders, Send, problem_response
from shared.http.problems import Problem

_MOST_HEAD_BYTES: Final = 64 * 1024


class BoundedProtocol(HttpToolsProtocol):
    """Cuts off a client whose request's head is too large, or who sends it too slowly.

    The cost is two attributes per request; the clock is looked at by `cut_off_slow`, once a second
    for all connections. A body that the server itself has paused (an earlier request of the same
    connection is being answered) is nobody's fault and not cut off.
    """

    waits_since: float | None = None
    _head_bytes: int | None = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.waits_since = self.loop.time()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._head_bytes is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes is not None and self._head_bytes > _MOST_HEAD_BYTES:
            self.send_400_response("the request's head is too large")

    def on_message_begin(self) -> None:
        self.waits_since = self.loop.time()
        self._head_bytes = 1  # counted from the next read on: this one may hold other requests
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.waits_since = None
        super().on_message_complete()

    def cut_off_if_slow(self, now: float, seconds: float) -> None:
        """Answers 400 where nothing is answered yet, and closes."""
        if self.waits_since is None or now - self.waits_since < seconds or self.pipeline:
            return
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and self._head_bytes is not None:
            return  # the next request's head, behind one that is being answered
        said_nothing = self._head_bytes == 0
        if said_nothing or (answering and self.cycle.response_started):
            self.transport.close()
        else:
            self.send_400_response("the request took too long to arrive")

    def send_400_response(self, msg: str) -> None:
        """A request that is no HTTP, as the problem that every other malformed one is."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # its handler finds nobody to answer
        if self.transport.is_closing():
            return
        reply = problem_response(Problem("malformed-request", msg))
        lines = [b"%s: %s" % header for header in reply.headers]
        length = b"content-length: %d" % len(reply.body)
        head = b"\r\n".join([b"HTTP/1.1 400 Bad Request", *lines, length, b"connection: close"])
        self.transport.write(head + b"\r\n\r\n" + reply.body)
        self.transport.close()


def write_whole(send: Send, status: int, headers: ResponseHeaders, body: bytes) -> bool:
    """Writes a whole answer at once: the bytes of two ASGI messages at a fraction of their cost.

    False, with nothing written, where `send` is not the server's own, the client does not keep up,
    or a header is none: the messages are the way then.
    """
    cycle = getattr(send, "__self__", None)
    if not isinstance(cycle, RequestResponseCycle) or cycle.flow.write_paused:
        return False
    if cycle.disconnected:
        return True
    lines = [*cycle.default_headers, *headers] if cycle.default_headers else headers
    head = STATUS_LINE[status] + b"\r\n".join([*map(b": ".join, lines), b""])
    if not head.count(b"\n") == head.count(b"\r") == len(lines) + 1:
        return False
    end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(b"".join((head, end, body)))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


async def cut_off_slow(connections: set[BoundedProtocol], seconds: float) -> None:
    """Runs beside the server until it is cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(min(1.0, seconds / 2))
        for connection in list(connections):
            connection.cut_off_if_slow(loop.time(), seconds)
