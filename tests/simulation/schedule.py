"""Runs schedules; reduces the faults of one that violates an invariant to those that are needed."""

import random
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import structlog

from tests.simulation.commands import CONNECTIONS, LOCKS, Commands
from tests.simulation.faults import Fault, Faults, Network
from tests.simulation.loop import SimulatedLoop
from tests.simulation.pipeline import RESTORES, TOPICS, VIEWS, Pipeline


class World(Protocol):
    """The servers and processes of one schedule."""

    network: Network

    async def run(self) -> None:
        """Processes work while faults happen."""
        ...

    async def settle(self) -> str | None:
        """Without further faults; returns the violated invariant."""
        ...


WORLDS: Final[dict[str, Callable[[SimulatedLoop, Faults, int], World]]] = {
    "topics": partial(Pipeline, profile=TOPICS),
    "views": partial(Pipeline, profile=VIEWS),
    "restores": partial(Pipeline, profile=RESTORES),
    "commands": partial(Commands, profile=CONNECTIONS),
    "locks": partial(Commands, profile=LOCKS),
}


@dataclass(frozen=True)
class Outcome:
    """`violation` is None if all invariants held. `trace` is equal for equal schedules."""

    world: str
    seed: int
    violation: str | None
    faults: list[Fault]
    trace: tuple[int, float]

    def __str__(self) -> str:
        numbers = ",".join(str(fault.number) for fault in self.faults)
        options = f"--world {self.world} --seed {self.seed} --only {numbers or 0}"
        lines = [
            f"{self.world}, seed {self.seed}: {self.violation}",
            *(f"  {fault.time_s:8.3f} s  {fault.kind}" for fault in self.faults),
            f"python -m tests.simulation {options}",
        ]
        return "\n".join(lines)


def run(world: str, seed: int, only: Collection[int] | None = None) -> Outcome:
    """Run a schedule without logs, with all its faults or with those of the given numbers."""
    random.seed(seed)  # of the relay's intervals
    loop = SimulatedLoop(seed)
    faults = Faults(loop, seed, only)
    with _without_logs():
        try:
            return loop.run_until_complete(_run(world, seed, loop, faults))
        finally:
            loop.end()


async def _run(name: str, seed: int, loop: SimulatedLoop, faults: Faults) -> Outcome:
    world = WORLDS[name](loop, faults, seed)
    await world.run()
    faults.enabled = False
    violation = await world.settle()
    trace = loop.steps, loop.time()
    world.network.closed = True
    return Outcome(name, seed, violation, faults.happened, trace)


def first_violation(world: str, seeds: Iterable[int]) -> Outcome | None:
    outcomes = (run(world, seed) for seed in seeds)
    return next((outcome for outcome in outcomes if outcome.violation is not None), None)


def reduce_faults(outcome: Outcome) -> Outcome:
    """Leave out halves, quarters, … and single faults as long as an invariant is violated."""
    size = len(outcome.faults)
    while size := size // 2:
        start = 0
        while start < len(outcome.faults):
            kept = outcome.faults[:start] + outcome.faults[start + size :]
            reduced = run(outcome.world, outcome.seed, {fault.number for fault in kept})
            if reduced.violation is None:
                start += size
            else:
                outcome = reduced
    return outcome


@contextmanager
def _without_logs() -> Iterator[None]:
    config = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    try:
        yield
    finally:
        structlog.configure(**config)
