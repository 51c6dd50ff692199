"""One version follows the other while both serve, and back again."""

import asyncio
import signal
from pathlib import Path
from random import Random

from tests.faults.nemesis.processes import OURS
from tests.faults.world import World


async def upgrade_and_roll_back(world: World, random: Random, seconds: float) -> None:
    """From the previous version's schema, topics and services: the schema first, then each service
    beside its predecessor, which leaves; then back again, since the schema stays as it is.
    """
    previous = world.previous
    assert previous is not None
    await asyncio.sleep(seconds / 4)
    await world.migrate()
    world.note("the schema is this version's")
    await asyncio.sleep(seconds / 4)
    await _replace(world, random, "-2", "", None)
    world.note("all services are this version's")
    await asyncio.sleep(seconds / 4)
    await _replace(world, random, "", "-2", previous)
    world.note("all services are the previous version's, after this one's")
    await asyncio.sleep(seconds / 4)
    await _replace(world, random, "-2", "", None)


async def _replace(
    world: World, random: Random, joining: str, leaving: str, root: Path | None
) -> None:
    """In any order: no service may need another one to be of its version."""
    for kind in random.sample(OURS, len(OURS)):
        await world.join(f"{kind}{joining}", root)
        await asyncio.sleep(random.uniform(0, 1))
        await world.leave(f"{kind}{leaving}", signal.SIGTERM)
