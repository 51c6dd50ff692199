"""A server under load: what each round gave, and the medians."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from benchmarks.figures import Point, middle
from benchmarks.load.job import Found, Job, percentile, run_job
from benchmarks.processes import measured

_SHARES_OF_CAPACITY: Final = (0.25, 0.5, 0.75)


Load = Callable[[float | None], Awaitable[Found]]
"""Sends requests at that rate, or, without one, as fast as they are answered."""


def load_of(job: Job, most_clients: int) -> Load:
    """Of the load generator. At a given rate it opens `most_clients` connections."""

    async def load(rate: float | None) -> Found:
        return await run_job(job if rate is None else replace(job, clients=most_clients, rate=rate))

    return load


@dataclass(frozen=True, slots=True)
class Round:
    """`rate` is by the wall clock; `per_core` is requests by CPU second of the processes."""

    rate: float
    per_core: float
    p50: float
    p99: float
    generator_cpu: float

    @classmethod
    def of(cls, found: Found, cpu_seconds: float) -> "Round":
        return cls(
            rate=found.rate,
            per_core=len(found.latencies) / cpu_seconds,
            p50=percentile(found.latencies, 0.5),
            p99=percentile(found.latencies, 0.99),
            generator_cpu=found.cpu_seconds / len(found.latencies),
        )


@dataclass(slots=True)
class Subject:
    """`pids` are the processes whose CPU counts, but for those of `apart` among their children.

    `with_generator`: the load generator's counts as well.
    """

    name: str
    pids: tuple[int, ...]
    load: Load
    with_generator: bool = False
    apart: Callable[[], Awaitable[Sequence[int]]] | None = None
    rounds: list[Round] = field(default_factory=list)

    async def measure(self) -> Found:
        """One more round, as fast as it goes."""
        apart = () if self.apart is None else await self.apart()
        with measured(*self.pids) as cpu, measured(*apart) as of_others:
            found = await self.load(None)
        spent = cpu.seconds - of_others.seconds
        spent += found.cpu_seconds if self.with_generator else 0
        self.rounds.append(Round.of(found, spent))
        return found

    async def curve(self, chart: str) -> list[Point]:
        """Latencies at rates below its capacity, and its capacity's own."""
        points = []
        for share in _SHARES_OF_CAPACITY:
            points.append(_point(chart, self.name, await self.load(share * self.rate)))
        return [*points, Point(chart, self.name, self.rate, 1000 * self.p50, 1000 * self.p99)]

    @property
    def rate(self) -> float:
        return middle(r.rate for r in self.rounds)

    @property
    def per_core(self) -> float:
        return middle(r.per_core for r in self.rounds)

    @property
    def p50(self) -> float:
        return middle(r.p50 for r in self.rounds)

    @property
    def p99(self) -> float:
        return middle(r.p99 for r in self.rounds)

    @property
    def generator_us(self) -> float:
        """CPU of the load generator for each request, in microseconds."""
        return 1e6 * middle(r.generator_cpu for r in self.rounds)


def _point(chart: str, subject: str, found: Found) -> Point:
    p50, p99 = (1000 * percentile(found.latencies, share) for share in (0.5, 0.99))
    return Point(chart, subject, found.rate, p50, p99)
