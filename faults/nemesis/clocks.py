"""One process whose clock is an hour ahead of or behind all others, by libfaketime."""

import asyncio
from pathlib import Path
from random import Random
from typing import Final

from faults.nemesis.processes import OURS
from faults.world import World

_PLACES: Final = ("usr/lib/*/faketime", "usr/lib*/faketime", "usr/local/lib/faketime")


def library() -> Path | None:
    """Where libfaketime is; Debian's package libfaketime has it."""
    found = (path for place in _PLACES for path in Path("/").glob(f"{place}/libfaketime.so.1"))
    return next(found, None)


def missing() -> str | None:
    return None if library() else "libfaketime is not installed (Debian: libfaketime)"


async def shift(world: World, random: Random, seconds: float) -> None:
    """Each process in turn, restarted into another time and back into ours."""
    for name in random.sample(OURS, len(OURS)):
        offset = random.choice(["+3600", "-3600"])
        world.note(f"{name} lives {offset} s from now")
        world.processes[name].change_environment(
            LD_PRELOAD=str(library()), FAKETIME=offset, FAKETIME_DONT_FAKE_MONOTONIC="1"
        )
        world.kill(name)
        await asyncio.sleep(max(seconds / len(OURS), 6))
        world.processes[name].change_environment(LD_PRELOAD="", FAKETIME="+0")
        world.kill(name)
