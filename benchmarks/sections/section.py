"""What a section is given, and what it is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from benchmarks.figures import Result
from benchmarks.world import World


@dataclass(frozen=True, slots=True)
class Options:
    """`seconds` for each measurement, `rounds` of which the median counts."""

    seconds: float
    rounds: int
    orders: tuple[int, ...]
    events: int
    profiles: bool
    say: Callable[[str], None]


Section = Callable[[World, Options], Awaitable[Result]]
