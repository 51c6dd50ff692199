"""The ways between two processes cut, in one direction or both, without anybody being told."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, Literal

from faults.edges import Direction
from faults.nemesis.times import moments
from faults.world import World

Way = tuple[Direction, ...] | Literal["drop", "refuse"]
_WAYS: Final[tuple[Way, ...]] = (
    ("to server",),
    ("to client",),
    ("to server", "to client"),
    "drop",
    "refuse",
)


def cut(*names: str) -> Callable[[World, Random, float], Awaitable[None]]:
    """Nothing passes any more for some seconds; or every connection ends; or none is accepted."""

    async def nemesis(world: World, random: Random, seconds: float) -> None:
        ways = [(name, way) for name in names for way in _WAYS]
        random.shuffle(ways)
        async for _ in moments(random, seconds, 0.5, 2):
            name, way = ways.pop() if ways else (random.choice(names), random.choice(_WAYS))
            await _harm(world, name, way, random.uniform(1, 9))

    return nemesis


async def _harm(world: World, name: str, way: Way, long: float) -> None:
    edge = world.edges[name]
    world.note(f"{name}: {way} for {long:.1f} s")
    match way:
        case "drop":
            edge.drop()
        case "refuse":
            edge.refuse()
            await asyncio.sleep(long)
        case tuple():
            edge.block(*way)
            await asyncio.sleep(long)
    edge.heal()
    world.note(f"{name}: whole")
