"""What the generator is asked to do, and what it found."""

import asyncio
import pickle
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

_START_AND_DRAIN_S: Final = 60


@dataclass(frozen=True, slots=True)
class Follow:
    """After every `every`-th command, a read with its token; it waits until the view is there."""

    port: int
    every: int
    authorization: bytes


@dataclass(frozen=True, slots=True)
class Job:
    """`requests` are whole HTTP/1.1 requests, sent in turn on `clients` connections.

    Without a rate each client sends its next request when the last one is answered. With one
    (requests a second), requests are due at random times, as those of independent callers are,
    whether the server keeps up or not.
    """

    port: int
    requests: Sequence[bytes]
    clients: int
    seconds: float
    rate: float | None = None
    follow: Follow | None = None


@dataclass(slots=True)
class Found:
    """Latencies in seconds from when a request was due; sorted.

    `visible`: from a command's answer to the answer of the read with its token; `visible_since_due`
    the same from when the command was due.
    """

    latencies: list[float] = field(default_factory=list)
    visible: list[float] = field(default_factory=list)
    visible_since_due: list[float] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds


class LoadFailed(Exception):
    """An answer was no 2xx, or there was none: the figures would say nothing."""


async def run_job(job: Job) -> Found:
    """In a process of its own. Raises LoadFailed if any request failed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.load",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(job.seconds + _START_AND_DRAIN_S):
            answer, _ = await process.communicate(pickle.dumps(job))
    except BaseException:
        process.kill()
        raise
    if process.returncode != 0:
        raise LoadFailed(f"the load generator ended with status {process.returncode}")
    found: Found = pickle.loads(answer)
    if found.failures:
        raise LoadFailed(f"requests failed: {found.failures}")
    return found


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """The value that `share` of all do not exceed."""
    if not sorted_values:
        return float("nan")
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]
