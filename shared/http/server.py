"""Runs an ASGI application by uvicorn inside the process's own event loop, until told to stop."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Coroutine, Iterator
from typing import Any, Final, TypeVar, cast

import uvicorn
import uvloop

from shared.http.protocol import BoundedProtocol, cut_off_slow

T = TypeVar("T")

_KEEP_ALIVE_SECONDS: Final = 75  # longer than load balancers keep a connection: they close first
_BACKLOG: Final = 2048


class CannotListen(Exception):
    """The address is taken or not ours; the message names HOST and PORT and fits on a line."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs a process's main coroutine on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set, in place of what they did before."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def listen(host: str, port: int) -> socket.socket:
    """Takes the address (port 0: any free port). Clients are refused until `serve`.

    Raises CannotListen.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CannotListen(f"HOST={host} PORT={port}: cannot listen there: {reason}") from None
    return listener


async def serve(
    app: Any,
    listener: socket.socket,
    *,
    stop: asyncio.Event,
    grace_seconds: float,
    request_seconds: float = 10.0,
) -> None:
    """Serves until `stop` is set, then accepts no more and finishes what is in flight.

    Requests that take longer than `grace_seconds` from then on are cancelled. A client has
    `request_seconds` to send its whole request. What limits a request line and headers is
    `protocol.py`; what limits a body and the requests in flight is `dispatch.py`.
    """
    server = _Server(_config(app, grace_seconds))
    connections = cast("set[BoundedProtocol]", server.server_state.connections)
    watching = asyncio.create_task(cut_off_slow(connections, request_seconds))
    stopping = asyncio.create_task(_stop_server(server, stop))
    try:
        await server.serve(sockets=[listener])
    finally:
        stopping.cancel()
        watching.cancel()
        listener.close()


async def _stop_server(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals alone: the process's `stop` event is told of them."""
        yield


def _config(app: Any, grace_seconds: float) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=cast("int", grace_seconds),  # a float does as well
    )
