"""A peer that does one piece of work in a separate process, and reports its throughput."""

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

from benchmarks.throughput import Throughput

Work = Callable[[], Awaitable[int]]


async def run_peer(module: str, **environment: str) -> Throughput:
    """Runs `benchmarks.peers.<module>` and returns its throughput."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"benchmarks.peers.{module}",
        env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(240):
            output, _ = await process.communicate()
    except BaseException:
        process.kill()
        raise
    assert process.returncode == 0, f"{module} failed"
    return Throughput(**orjson.loads(output))


def run_work(prepare: Callable[[], AbstractAsyncContextManager[Work]]) -> None:
    """The peer's main: prepares, then measures the work, which returns its number of events."""

    async def measure() -> Throughput:
        async with prepare() as work:
            begun, cpu = time.monotonic(), _cpu_seconds()
            events = await work()
            return Throughput(events, time.monotonic() - begun, _cpu_seconds() - cpu)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.buffer.write(orjson.dumps(asdict(runner.run(measure()))))


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
