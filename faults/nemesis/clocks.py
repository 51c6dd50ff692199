"""One process whose clock is an hour ahead of or behind all others, with libfaketime."""

import asyncio
from pathlib import Path
from random import Random
from typing import Final

from faults.nemesis.processes import SERVICES
from faults.system import SystemUnderTest

_DIRECTORIES: Final = ("usr/lib/*/faketime", "usr/lib*/faketime", "usr/local/lib/faketime")


def library() -> Path | None:
    """The path of libfaketime, from Debian's package libfaketime."""
    found = (
        path
        for directory in _DIRECTORIES
        for path in Path("/").glob(f"{directory}/libfaketime.so.1")
    )
    return next(found, None)


def unavailable_reason() -> str | None:
    return None if library() else "libfaketime is not installed (Debian: libfaketime)"


async def shift(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """Restarts each process in turn with a shifted clock, and then with the right one."""
    for name in random.sample(SERVICES, len(SERVICES)):
        offset = random.choice(["+3600", "-3600"])
        system.note(f"the clock of {name} is off by {offset} s")
        system.processes[name].change_environment(
            LD_PRELOAD=str(library()), FAKETIME=offset, FAKETIME_DONT_FAKE_MONOTONIC="1"
        )
        system.kill(name)
        await asyncio.sleep(max(seconds / len(SERVICES), 6))
        system.processes[name].change_environment(LD_PRELOAD="", FAKETIME="+0")
        system.kill(name)
