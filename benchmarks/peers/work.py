"""A peer that does one piece of work in a process of its own, and says what it took."""

import asyncio
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict

import orjson
import uvloop

from benchmarks.progress import Done

Work = Callable[[], Awaitable[int]]


async def ask(module: str, **environment: str) -> Done:
    """Runs `benchmarks.peers.<module>` and waits for its answer."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"benchmarks.peers.{module}",
        env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(240):
            answer, _ = await process.communicate()
    except BaseException:
        process.kill()
        raise
    assert process.returncode == 0, f"{module} failed"
    return Done(**orjson.loads(answer))


def answer(prepare: Callable[[], AbstractAsyncContextManager[Work]]) -> None:
    """For the peer's main: prepares, then times the work, which says how many events it did."""

    async def timed() -> Done:
        async with prepare() as work:
            begun, spent = time.monotonic(), _spent()
            events = await work()
            return Done(events, time.monotonic() - begun, _spent() - spent)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.buffer.write(orjson.dumps(asdict(runner.run(timed()))))


def _spent() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
