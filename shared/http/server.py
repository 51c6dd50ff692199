"""Listens, and serves an application over HTTP/1.1 in the event loop of its process."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import uvloop

from shared.http.connection import Connection
from shared.http.connections import Application, Connections
from shared.http.limits import ConnectionLimits

T = TypeVar("T")

_BACKLOG: Final = 2048
_KERNEL_BUFFER_BYTES: Final = 128 * 1024
_LAST_STEPS_S: Final = 5.0
_DEFAULT_LIMITS: Final = ConnectionLimits()


class CannotListen(Exception):
    """The address is in use or not local; the message names HOST and PORT on one line."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs a process's main coroutine on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set, instead of their former effect."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def listen(host: str, port: int) -> socket.socket:
    """Binds the address (port 0: any free port). Clients cannot connect before `serve`.

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
    application: Application,
    listener: socket.socket,
    *,
    stop: asyncio.Event,
    grace_seconds: float,
    limits: ConnectionLimits = _DEFAULT_LIMITS,
) -> None:
    """Serves until `stop` is set, then accepts no more and finishes the requests in progress.

    Requests that take longer than `grace_seconds` from then on are cancelled.
    """
    loop = asyncio.get_running_loop()
    connections = Connections(application, limits)
    _bound_kernel_buffers(listener)
    server = await loop.create_server(
        lambda: Connection(connections), sock=listener, backlog=_BACKLOG
    )
    sweeping = asyncio.create_task(_sweep(connections))
    try:
        await stop.wait()
        server.close()
        connections.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await connections.idle.wait()
    finally:
        server.close()
        async with asyncio.timeout(_LAST_STEPS_S):
            await connections.cancel()
        sweeping.cancel()
        listener.close()


async def _sweep(connections: Connections) -> None:
    limits = connections.limits
    pause_s = min(1.0, limits.request_timeout_s / 4, limits.send_timeout_s / 4)
    while True:
        await asyncio.sleep(pause_s)
        connections.sweep()


def _bound_kernel_buffers(listener: socket.socket) -> None:
    """Accepted sockets inherit these sizes; by default each may grow to several megabytes."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BUFFER_BYTES)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL_BUFFER_BYTES)
