"""The results of a section: table rows, chart points, profiles and remarks."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: the measure, its figure, the limit, and whether the goal is met.

    `holds` is None without a goal.
    """

    measure: str
    figure: str
    limit: str = ""
    ratio: str = ""
    goal: str = ""
    holds: bool | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A request rate per second, and the latencies at that rate."""

    chart: str
    subject: str
    rate: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Profile:
    """The functions of a process with the highest self time: share and name."""

    process: str
    during: str
    top: list[tuple[float, str]]


@dataclass(slots=True)
class Result:
    rows: list[Row] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def rate(value: float) -> str:
    return f"{value:,.0f}/s"


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def times(ratio: float) -> str:
    return f"{ratio:.2f}×"
