"""One version follows the other while both serve, and back again."""

import asyncio
import signal
from pathlib import Path
from random import Random

from faults.nemesis.processes import OURS
from faults.world import World


async def upgrade_and_roll_back(world: World, random: Random, seconds: float) -> None:
    """From the previous version's schema, topics and services: the schema first, then all services
    beside their predecessors, which leave; then back again, since the schema stays as it is.
    """
    previous = world.previous
    assert previous is not None
    await asyncio.sleep(seconds / 4)
    await world.migrate()
    world.note("the schema is this version's")
    await asyncio.sleep(seconds / 4)
    await _replace(world, random, seconds / 4, "-2", "", None)
    world.note("all services are this version's")
    await asyncio.sleep(seconds / 4)
    await _replace(world, random, seconds / 4, "", "-2", previous)
    world.note("all services are the previous version's, after this one's")
    await asyncio.sleep(seconds / 4)
    await _replace(world, random, seconds / 4, "-2", "", None)


async def _replace(
    world: World, random: Random, beside: float, joining: str, leaving: str, root: Path | None
) -> None:
    """Both serve for a while; any order will do: none may need another one to be of its version."""
    await asyncio.gather(*(world.join(f"{kind}{joining}", root) for kind in OURS))
    await asyncio.sleep(beside)
    for kind in random.sample(OURS, len(OURS)):
        await world.leave(f"{kind}{leaving}", signal.SIGTERM)
        await asyncio.sleep(random.uniform(0, 1))
