"""Random times of faults, which are the same for the same seed."""

import asyncio
import time
from collections.abc import AsyncIterator
from random import Random


async def random_intervals(
    random: Random, seconds: float, min_s: float, max_s: float
) -> AsyncIterator[None]:
    """Yields after random intervals until `seconds` have elapsed, at least once."""
    until = time.monotonic() + seconds
    while True:
        await asyncio.sleep(random.uniform(min_s, max_s))
        yield
        if time.monotonic() >= until:
            return
