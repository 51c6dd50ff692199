"""Times work that goes on in other processes, from its first sign to its end."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from benchmarks.processes import cpu_seconds

_LOOK_S: Final = 0.05
_GIVE_UP_S: Final = 240.0


@dataclass(frozen=True, slots=True)
class Done:
    """What was done between the first look that saw progress and the one that saw the end."""

    events: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        return self.events / self.seconds

    @property
    def per_core(self) -> float:
        return self.events / self.cpu_seconds


async def watch(count: Callable[[], Awaitable[int]], total: int, *pids: int) -> Done:
    """`count` says how many events are done. What these processes did to start is left out.

    Raises TimeoutError when the end does not come.
    """
    async with asyncio.timeout(_GIVE_UP_S):
        first = await _until(count, 1)
        begun, spent = time.monotonic(), _spent(pids)
        last = await _until(count, total)
        return Done(last - first, time.monotonic() - begun, _spent(pids) - spent)


async def _until(count: Callable[[], Awaitable[int]], enough: int) -> int:
    while True:
        reached = await count()
        if reached >= enough:
            return reached
        await asyncio.sleep(_LOOK_S)


def _spent(pids: tuple[int, ...]) -> float:
    return sum(map(cpu_seconds, pids))
