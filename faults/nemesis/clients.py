"""Clients that disconnect, that overload the service, and that send a byte per second."""

import asyncio
import os
import sys
from random import Random
from typing import Final

from faults.flood import create_user_request
from faults.nemesis.schedule import random_intervals
from faults.system import SystemUnderTest, TandemProcess

_CONCURRENT_REQUESTS: Final = 60
_SLOW_CONNECTIONS: Final = 150
_FLOOD_CONNECTIONS: Final = 1500


async def cancel(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """Thousands of commands and reads whose clients disconnect before the response."""
    count = 0
    async for _ in random_intervals(random, seconds, 0.1, 0.3):
        caller = f"unrecorded-{system.clock():.3f}"
        token = system.identity.token(caller)
        await asyncio.gather(
            *(
                _send_and_disconnect(system, random, token, f"{caller}-{n}")
                for n in range(_CONCURRENT_REQUESTS)
            )
        )
        count += _CONCURRENT_REQUESTS
    system.note(f"{count} requests were cancelled")
    system.kills += count


async def _send_and_disconnect(
    system: SystemUnderTest, random: Random, token: str, mark: str
) -> None:
    if random.random() < 0.5:
        port, request = system.processes["command-service"].port, create_user_request(token, mark)
    else:
        path = random.choice(["/v1/dashboard", "/v1/users?limit=200", "/v1/products?q=tea"])
        head = f"GET {path} HTTP/1.1\r\nHost: tandem\r\nAuthorization: Bearer {token}\r\n\r\n"
        port, request = system.processes["query-service"].port, head.encode()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await asyncio.sleep(random.uniform(0, 0.03))
    writer.transport.abort()


async def send_slowly(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """300 connections that send a byte per second, in the head or in the body."""
    token = system.identity.token("unrecorded-slow")
    tasks = [
        asyncio.create_task(
            _send_bytewise(system.processes[name], random, token, f"unrecorded-{name}-{n}")
        )
        for name in ("command-service", "query-service")
        for n in range(_SLOW_CONNECTIONS)
    ]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _send_bytewise(process: TandemProcess, random: Random, token: str, mark: str) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", process.port)
            request = create_user_request(token, mark)
            sent = random.randrange(len(request) - 100)
            writer.write(request[:sent])
            for byte in request[sent:]:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(1)
        except OSError:
            await asyncio.sleep(1)


async def flood(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """From a separate process, more concurrent commands than the service accepts."""
    process = system.processes["command-service"]
    flood = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "faults.flood", "127.0.0.1", str(process.port),
        system.identity.token("unrecorded-flood"), f"flood-{random.random()}",
        str(_FLOOD_CONNECTIONS), str(seconds), stdout=asyncio.subprocess.PIPE, env=dict(os.environ),
    )  # fmt: skip
    output, _ = await flood.communicate()
    system.note(f"responses by status: {output.decode().strip()}")
