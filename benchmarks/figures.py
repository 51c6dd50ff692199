"""What a section found: rows of the table, points of the chart, profiles, remarks."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, against what, and whether the goal is met.

    `holds` is None where there is no goal.
    """

    measure: str
    figure: str
    limit: str = ""
    ratio: str = ""
    goal: str = ""
    holds: bool | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A rate that was asked for and the latencies at it, in milliseconds."""

    chart: str
    subject: str
    rate: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Profile:
    """The functions of a process with the most time of their own: share and name."""

    process: str
    during: str
    top: list[tuple[float, str]]


@dataclass(slots=True)
class Result:
    rows: list[Row] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def middle(values: Iterable[float]) -> float:
    """The median: one slow round on a busy machine does not count."""
    return median(values)


def rate(value: float) -> str:
    return f"{value:,.0f}/s"


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def times(ratio: float) -> str:
    return f"{ratio:.2f}×"
