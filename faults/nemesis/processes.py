"""Our own processes killed, paused, and coming and going."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

from faults.nemesis.times import moments
from faults.world import World

OURS: Final = ("command-service", "relay", "projector", "query-service")


async def calm(world: World, random: Random, seconds: float) -> None:
    await asyncio.sleep(seconds)


def kill_some(*names: str) -> Callable[[World, Random, float], Awaitable[None]]:
    """SIGKILL, again and again: also while one starts, or is busy with the death of another."""

    async def kill(world: World, random: Random, seconds: float) -> None:
        async for _ in moments(random, seconds, 0.1, 2.5):
            world.kill(random.choice(names))

    return kill


def pause_some(
    *names: str, shortest: float, longest: float
) -> Callable[[World, Random, float], Awaitable[None]]:
    """SIGSTOP for a while, one after the other; each of them at least once."""

    async def pause(world: World, random: Random, seconds: float) -> None:
        paused: set[str] = set()
        while paused != set(names) or random.random() < 0.3:
            async for _ in moments(random, 0, 0.1, 1.5):
                name = random.choice([n for n in names if n not in paused] or names)
            paused.add(name)
            world.pause(name)
            await asyncio.sleep(random.uniform(shortest, longest))
            world.resume(name)

    return pause


async def pause_past_leases(world: World, random: Random, seconds: float) -> None:
    """Two relays and two projectors: the others take over, and then the paused ones wake up."""
    extra = ("relay-2", "projector-2")
    for name in extra:
        world.note(f"{name} joins")
        world.add(name)
    for name in extra:
        await world.processes[name].ready()
    names = ("relay", "projector", *extra)
    async for _ in moments(random, seconds, 0.5, 2):
        paused = random.sample(names, random.randint(1, 2))
        for name in paused:
            world.pause(name)
        await asyncio.sleep(random.uniform(11, 16))
        for name in paused:
            world.resume(name)
    for name in extra:
        world.remove(name)


async def join_and_leave(world: World, random: Random, seconds: float) -> None:
    """A second projector comes and goes, every 2 seconds, politely or not."""
    async for _ in moments(random, seconds, 1.8, 2.2):
        if "projector-2" in world.processes:
            world.remove("projector-2", random.choice([signal.SIGTERM, signal.SIGKILL]))
        else:
            world.note("projector-2 joins")
            world.add("projector-2")
    if "projector-2" in world.processes:
        world.remove("projector-2")


async def kill_everything(world: World, random: Random, seconds: float) -> None:
    """A power cut: servers and processes at once, and all come back at once."""
    async for _ in moments(random, seconds, 4, 8):
        world.note("SIGKILL everything")
        for name in OURS:
            world.kill_down(name)
        for server in world.servers:
            await world.kill_server(server)
        for name in OURS:
            world.start_again(name)
        for server in random.sample(sorted(world.servers), 3):
            await world.start_server(server)
