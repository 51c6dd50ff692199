"""A server under load: the results of each round, and their medians."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Final

from benchmarks.load.job import Job, LoadResult, percentile, run_job
from benchmarks.processes import measured
from benchmarks.results import Point

_SHARES_OF_CAPACITY: Final = (0.25, 0.5, 0.75)


Load = Callable[[float | None], Awaitable[LoadResult]]
"""Sends requests at a rate per second; without one, each client sends as soon as it can."""


def load_of(job: Job, max_clients: int) -> Load:
    """The load of the load generator. At a given rate it opens `max_clients` connections."""

    async def load(rate: float | None) -> LoadResult:
        return await run_job(job if rate is None else replace(job, clients=max_clients, rate=rate))

    return load


@dataclass(frozen=True, slots=True)
class Round:
    """`rate`: requests per second; `per_core`: requests per CPU second; latencies in seconds."""

    rate: float
    per_core: float
    p50: float
    p99: float
    generator_cpu: float

    @classmethod
    def of(cls, result: LoadResult, cpu_seconds: float) -> "Round":
        return cls(
            rate=result.rate,
            per_core=len(result.latencies) / cpu_seconds,
            p50=percentile(result.latencies, 0.5),
            p99=percentile(result.latencies, 0.99),
            generator_cpu=result.cpu_seconds / len(result.latencies),
        )


@dataclass(slots=True)
class Subject:
    """`pids` are the processes whose CPU time counts, without their children in `excluded_pids`.

    `include_generator`: the CPU time of the load generator counts too.
    """

    name: str
    pids: tuple[int, ...]
    load: Load
    include_generator: bool = False
    excluded_pids: Callable[[], Awaitable[Sequence[int]]] | None = None
    rounds: list[Round] = field(default_factory=list)

    async def measure(self) -> LoadResult:
        """Add a round at the maximum rate."""
        excluded = () if self.excluded_pids is None else await self.excluded_pids()
        with measured(*self.pids) as cpu, measured(*excluded) as excluded_cpu:
            result = await self.load(None)
        spent = cpu.seconds - excluded_cpu.seconds
        spent += result.cpu_seconds if self.include_generator else 0
        self.rounds.append(Round.of(result, spent))
        return result

    async def curve(self, chart: str) -> list[Point]:
        """Latencies at shares of the capacity, and at the capacity."""
        points = []
        for share in _SHARES_OF_CAPACITY:
            points.append(_point(chart, self.name, await self.load(share * self.rate)))
        return [*points, Point(chart, self.name, self.rate, 1000 * self.p50, 1000 * self.p99)]

    @property
    def rate(self) -> float:
        return median(r.rate for r in self.rounds)

    @property
    def per_core(self) -> float:
        return median(r.per_core for r in self.rounds)

    @property
    def p50(self) -> float:
        return median(r.p50 for r in self.rounds)

    @property
    def p99(self) -> float:
        return median(r.p99 for r in self.rounds)

    @property
    def generator_us(self) -> float:
        """CPU time of the load generator per request, in microseconds."""
        return 1e6 * median(r.generator_cpu for r in self.rounds)


def _point(chart: str, subject: str, result: LoadResult) -> Point:
    p50, p99 = (1000 * percentile(result.latencies, share) for share in (0.5, 0.99))
    return Point(chart, subject, result.rate, p50, p99)
