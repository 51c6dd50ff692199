"""Samples the resident memory of each process twice a second."""

import asyncio

import psutil

from faults.evidence import MemorySample
from faults.system import SystemUnderTest

_INTERVAL_S = 0.5
_MB = 1024 * 1024


async def sample_memory(system: SystemUnderTest, samples: list[MemorySample]) -> None:
    """Runs until cancelled. Processes that have ended are left out."""
    while True:
        for name, process in list(system.processes.items()):
            if process.pid is not None:
                try:
                    rss = psutil.Process(process.pid).memory_info().rss
                except psutil.NoSuchProcess:
                    continue
                samples.append(MemorySample(round(system.clock(), 2), name, round(rss / _MB, 1)))
        await asyncio.sleep(_INTERVAL_S)
