"""The input of the load generator and its result."""

import asyncio
import pickle
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

_START_AND_DRAIN_S: Final = 60


@dataclass(frozen=True, slots=True)
class ReadAfterWrite:
    """After every `every`-th command, a read with its token, which waits for the view."""

    port: int
    every: int
    authorization: bytes


@dataclass(frozen=True, slots=True)
class Job:
    """`requests` are complete HTTP/1.1 requests, sent in turn on `clients` connections.

    Without a rate each client sends its next request after the response to the last one. With one
    (requests per second), requests are due at random times, as those of independent clients are,
    even if the server does not keep up.
    """

    port: int
    requests: Sequence[bytes]
    clients: int
    seconds: float
    rate: float | None = None
    read_after_write: ReadAfterWrite | None = None


@dataclass(slots=True)
class LoadResult:
    """Latencies in seconds from the time at which a request was due, sorted.

    `visible`: from a command's response to the response of the read with its token;
    `visible_since_due`: the same from the time at which the command was due.
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
    """A response was not 2xx, or was missing: the figures would be meaningless."""


async def run_job(job: Job) -> LoadResult:
    """Runs the job in a separate process. Raises LoadFailed if a request failed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.load",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(job.seconds + _START_AND_DRAIN_S):
            output, _ = await process.communicate(pickle.dumps(job))
    except BaseException:
        process.kill()
        raise
    if process.returncode != 0:
        raise LoadFailed(f"the load generator ended with status {process.returncode}")
    result: LoadResult = pickle.loads(output)
    if result.failures:
        raise LoadFailed(f"requests failed: {result.failures}")
    return result


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """The value that this share of all values does not exceed; NaN without values."""
    if not sorted_values:
        return float("nan")
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]
