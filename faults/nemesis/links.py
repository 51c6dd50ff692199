"""Links between two processes interrupted in one direction or both, without an error."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, Literal

from faults.link_proxy import Direction
from faults.nemesis.schedule import random_intervals
from faults.system import SystemUnderTest

Interruption = tuple[Direction, ...] | Literal["drop", "reject"]
_INTERRUPTIONS: Final[tuple[Interruption, ...]] = (
    ("to server",),
    ("to client",),
    ("to server", "to client"),
    "drop",
    "reject",
)


def interrupt(*names: str) -> Callable[[SystemUnderTest, Random, float], Awaitable[None]]:
    """Blocks the links for seconds, closes all connections, or rejects new ones."""

    async def nemesis(system: SystemUnderTest, random: Random, seconds: float) -> None:
        choices = [(name, kind) for name in names for kind in _INTERRUPTIONS]
        random.shuffle(choices)
        async for _ in random_intervals(random, seconds, 0.5, 2):
            name, kind = (
                choices.pop() if choices else (random.choice(names), random.choice(_INTERRUPTIONS))
            )
            await _interrupt(system, name, kind, random.uniform(1, 9))

    return nemesis


async def _interrupt(
    system: SystemUnderTest, name: str, kind: Interruption, duration_s: float
) -> None:
    link = system.links[name]
    system.note(f"{name}: {kind} for {duration_s:.1f} s")
    match kind:
        case "drop":
            link.drop()
        case "reject":
            link.reject_connections()
            await asyncio.sleep(duration_s)
        case tuple():
            link.block(*kind)
            await asyncio.sleep(duration_s)
    link.restore()
    system.note(f"{name}: restored")
