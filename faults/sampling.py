"""Looks at each process's resident memory twice a second."""

import asyncio

import psutil

from faults.evidence import Sample
from faults.world import World

_EVERY = 0.5
_MB = 1024 * 1024


async def sample_memory(world: World, samples: list[Sample]) -> None:
    """For ever; a process that is gone meanwhile is left out."""
    while True:
        for name, process in list(world.processes.items()):
            if process.pid is not None:
                try:
                    rss = psutil.Process(process.pid).memory_info().rss
                except psutil.NoSuchProcess:
                    continue
                samples.append(Sample(round(world.clock(), 2), name, round(rss / _MB, 1)))
        await asyncio.sleep(_EVERY)
