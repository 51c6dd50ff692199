"""Clients that go away, that send far too much, and that send a byte a second."""

import asyncio
import os
import sys
from random import Random
from typing import Final

from faults.flooding import create_user
from faults.nemesis.times import moments
from faults.world import OwnProcess, World

_AT_ONCE: Final = 60
_SLOW: Final = 150
_CONNECTIONS: Final = 1500


async def cancel(world: World, random: Random, seconds: float) -> None:
    """Commands and reads by the thousand whose clients are gone before the answer comes."""
    count = 0
    async for _ in moments(random, seconds, 0.1, 0.3):
        caller = f"gone-{world.clock():.3f}"
        token = world.identity.token(caller)
        await asyncio.gather(
            *(_gone(world, random, token, f"{caller}-{n}") for n in range(_AT_ONCE))
        )
        count += _AT_ONCE
    world.note(f"{count} requests were cancelled")
    world.kills += count


async def _gone(world: World, random: Random, token: str, mark: str) -> None:
    if random.random() < 0.5:
        port, request = world.processes["command-service"].port, create_user(token, mark)
    else:
        path = random.choice(["/v1/dashboard", "/v1/users?limit=200", "/v1/products?q=tea"])
        head = f"GET {path} HTTP/1.1\r\nHost: tandem\r\nAuthorization: Bearer {token}\r\n\r\n"
        port, request = world.processes["query-service"].port, head.encode()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await asyncio.sleep(random.uniform(0, 0.03))
    writer.transport.abort()


async def crawl(world: World, random: Random, seconds: float) -> None:
    """Some hundred connections that send a byte a second, in the head or in the body."""
    token = world.identity.token("gone-crawling")
    crawling = [
        asyncio.create_task(_crawl(world.processes[name], random, token, f"gone-{name}-{n}"))
        for name in ("command-service", "query-service")
        for n in range(_SLOW)
    ]
    await asyncio.sleep(seconds)
    for task in crawling:
        task.cancel()
    await asyncio.wait(crawling)


async def _crawl(process: OwnProcess, random: Random, token: str, mark: str) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", process.port)
            request = create_user(token, mark)
            sent = random.randrange(len(request) - 100)
            writer.write(request[:sent])
            for byte in request[sent:]:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(1)
        except OSError:
            await asyncio.sleep(1)


async def flood(world: World, random: Random, seconds: float) -> None:
    """From a process of its own, more commands at once than are ever allowed in."""
    process = world.processes["command-service"]
    flooding = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "faults.flooding", "127.0.0.1", str(process.port),
        world.identity.token("gone-flooding"), f"flood-{random.random()}", str(_CONNECTIONS),
        str(seconds), stdout=asyncio.subprocess.PIPE, env=dict(os.environ),
    )  # fmt: skip
    told, _ = await flooding.communicate()
    world.note(f"flooded: {told.decode().strip()}")
