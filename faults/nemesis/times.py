"""Seeded pauses: moments are chosen by chance, and are the same for the same seed."""

import asyncio
import time
from collections.abc import AsyncIterator
from random import Random


async def moments(
    random: Random, seconds: float, shortest: float, longest: float
) -> AsyncIterator[None]:
    """Random moments until the time is up; at least one."""
    until = time.monotonic() + seconds
    while True:
        await asyncio.sleep(random.uniform(shortest, longest))
        yield
        if time.monotonic() >= until:
            return
