"""A rolling upgrade from the previous version, and a rollback."""

import asyncio
import signal
from pathlib import Path
from random import Random

from faults.nemesis.processes import SERVICES
from faults.system import SystemUnderTest


async def upgrade_and_roll_back(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """Migrates the schema, then replaces the services; rolls the services back, but not the schema;
    and upgrades them again.
    """
    previous = system.previous
    assert previous is not None
    await asyncio.sleep(seconds / 4)
    await system.migrate()
    system.note("the schema is this version's")
    await asyncio.sleep(seconds / 4)
    await _replace(system, random, seconds / 4, "-2", "", None)
    system.note("all services are this version's")
    await asyncio.sleep(seconds / 4)
    await _replace(system, random, seconds / 4, "", "-2", previous)
    system.note("all services are the previous version's again")
    await asyncio.sleep(seconds / 4)
    await _replace(system, random, seconds / 4, "-2", "", None)


async def _replace(
    system: SystemUnderTest,
    random: Random,
    overlap_s: float,
    joining: str,
    leaving: str,
    root: Path | None,
) -> None:
    """Both versions serve for `overlap_s`. The order is random, since no service depends on it."""
    await asyncio.gather(*(system.join(f"{kind}{joining}", root) for kind in SERVICES))
    await asyncio.sleep(overlap_s)
    for kind in random.sample(SERVICES, len(SERVICES)):
        await system.leave(f"{kind}{leaving}", signal.SIGTERM)
        await asyncio.sleep(random.uniform(0, 1))
