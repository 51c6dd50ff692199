"""Measures the throughput of work in other processes, from its first event to its last."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from benchmarks.processes import cpu_seconds

_POLL_INTERVAL_S: Final = 0.05
_TIMEOUT_S: Final = 240.0


@dataclass(frozen=True, slots=True)
class Throughput:
    """Events between the first poll that observed progress and the one that observed the end."""

    events: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        return self.events / self.seconds

    @property
    def per_core(self) -> float:
        return self.events / self.cpu_seconds


async def measure_throughput(
    count: Callable[[], Awaitable[int]], total: int, *pids: int
) -> Throughput:
    """`count` returns the number of processed events. The startup of the processes is left out.

    Raises TimeoutError.
    """
    async with asyncio.timeout(_TIMEOUT_S):
        first = await _until(count, 1)
        begun, cpu = time.monotonic(), _cpu_seconds(pids)
        last = await _until(count, total)
        return Throughput(last - first, time.monotonic() - begun, _cpu_seconds(pids) - cpu)


async def _until(count: Callable[[], Awaitable[int]], minimum: int) -> int:
    while True:
        reached = await count()
        if reached >= minimum:
            return reached
        await asyncio.sleep(_POLL_INTERVAL_S)


def _cpu_seconds(pids: tuple[int, ...]) -> float:
    return sum(map(cpu_seconds, pids))
