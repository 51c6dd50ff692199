"""Processes of Tandem killed, paused, joining and leaving."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

from faults.nemesis.schedule import random_intervals
from faults.system import SystemUnderTest

SERVICES: Final = ("command-service", "relay", "projector", "query-service")


async def no_fault(system: SystemUnderTest, random: Random, seconds: float) -> None:
    await asyncio.sleep(seconds)


def kill_some(*names: str) -> Callable[[SystemUnderTest, Random, float], Awaitable[None]]:
    """SIGKILL at random times, also of processes that are starting or recovering."""

    async def kill(system: SystemUnderTest, random: Random, seconds: float) -> None:
        async for _ in random_intervals(random, seconds, 0.1, 2.5):
            system.kill(random.choice(names))

    return kill


def pause_some(
    *names: str, min_s: float, max_s: float
) -> Callable[[SystemUnderTest, Random, float], Awaitable[None]]:
    """SIGSTOP of one process after the other, of each at least once."""

    async def pause(system: SystemUnderTest, random: Random, seconds: float) -> None:
        paused: set[str] = set()
        while paused != set(names) or random.random() < 0.3:
            async for _ in random_intervals(random, 0, 0.1, 1.5):
                name = random.choice([n for n in names if n not in paused] or names)
            paused.add(name)
            system.pause(name)
            await asyncio.sleep(random.uniform(min_s, max_s))
            system.resume(name)

    return pause


async def pause_past_leases(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """Two relays and two projectors: the others take over before the paused ones resume."""
    extra = ("relay-2", "projector-2")
    for name in extra:
        system.note(f"{name} joins")
        system.add(name)
    for name in extra:
        await system.processes[name].ready()
    names = ("relay", "projector", *extra)
    async for _ in random_intervals(random, seconds, 0.5, 2):
        paused = random.sample(names, random.randint(1, 2))
        for name in paused:
            system.pause(name)
        await asyncio.sleep(random.uniform(11, 16))
        for name in paused:
            system.resume(name)
    for name in extra:
        system.remove(name)


async def join_and_leave(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """A second projector joins and leaves every 2 seconds, with SIGTERM or SIGKILL."""
    async for _ in random_intervals(random, seconds, 1.8, 2.2):
        if "projector-2" in system.processes:
            system.remove("projector-2", random.choice([signal.SIGTERM, signal.SIGKILL]))
        else:
            system.note("projector-2 joins")
            system.add("projector-2")
    if "projector-2" in system.processes:
        system.remove("projector-2")


async def kill_all(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """All servers and processes end and start at the same time, as in a power failure."""
    async for _ in random_intervals(random, seconds, 4, 8):
        system.note("SIGKILL all")
        for name in SERVICES:
            system.kill_without_restart(name)
        for server in system.servers:
            await system.kill_server(server)
        for name in SERVICES:
            system.restart(name)
        for server in random.sample(sorted(system.servers), 3):
            await system.start_server(server)
