"""The interface of a section."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from benchmarks.results import Result
from benchmarks.servers import Servers


@dataclass(frozen=True, slots=True)
class Options:
    """`seconds` of each measurement; the median of the `rounds` counts; `report` prints a line."""

    seconds: float
    rounds: int
    orders: tuple[int, ...]
    events: int
    profiles: bool
    report: Callable[[str], None]


Section = Callable[[Servers, Options], Awaitable[Result]]
