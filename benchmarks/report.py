"""Stores the results of sections, and updates the documentation from all stored results."""

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson
from pydantic import TypeAdapter

from benchmarks.chart import chart
from benchmarks.results import Profile, Result
from benchmarks.sections.registry import SECTIONS
from benchmarks.table import markdown

_DOCS: Final = Path(__file__).parents[1] / "docs"


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A section's result; `load` is the load average of the machine before the run."""

    result: Result
    load: float
    at: str


_STORED: Final = TypeAdapter(StoredResult)


def store(directory: Path, results: Mapping[str, tuple[Result, float]]) -> None:
    """A file per section, so that sections can be measured one at a time."""
    directory.mkdir(parents=True, exist_ok=True)
    at = f"{datetime.now(UTC):%Y-%m-%d}"
    for name, (result, load) in results.items():
        stored = _STORED.dump_python(StoredResult(result, load, at))
        (directory / f"{name}.json").write_bytes(orjson.dumps(stored))


def update_documentation(directory: Path, docs: Path = _DOCS) -> None:
    """Replaces the table and profiles in docs/performance.md, and the charts."""
    paths = [path for name in SECTIONS if (path := directory / f"{name}.json").exists()]
    stored = [_STORED.validate_json(path.read_bytes()) for path in paths]
    page = docs / "performance.md"
    text = _between(page.read_text(), "table", _table(stored))
    profiles = [_profile(p) for of in stored for p in of.result.profiles]
    page.write_text(_between(text, "profiles", "\n\n".join(profiles)))
    points = [point for of in stored for point in of.result.points]
    for title in dict.fromkeys(point.chart for point in points):
        picture = chart(title, [point for point in points if point.chart == title])
        (docs / "charts").mkdir(exist_ok=True)
        (docs / "charts" / f"{title.lower().replace(' ', '-')}.svg").write_text(picture)


def machine() -> str:
    """A description of this machine."""
    cpu = platform.processor() or platform.machine()
    described = Path("/proc/cpuinfo")
    if described.exists():
        names = [line for line in described.read_text().splitlines() if "model name" in line]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    return f"{os.cpu_count()} × {cpu}, {platform.system()}, Python {platform.python_version()}"


def _table(stored: list[StoredResult]) -> str:
    loads = [of.load for of in stored]
    days = sorted({of.at for of in stored})
    heading = (
        f"{machine()}; {' and '.join(days)}. Load average before the sections:"
        f" {min(loads):.1f} to {max(loads):.1f}."
    )
    rows = markdown([row for of in stored for row in of.result.rows])
    remarks = "\n".join(f"- {remark}" for of in stored for remark in of.result.remarks)
    return "\n\n".join([heading, rows, remarks])


def _between(text: str, name: str, part: str) -> str:
    """The text with the part between `<!-- name -->` and `<!-- end -->` replaced."""
    marks = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- end -->)", re.DOTALL)
    return marks.sub(lambda match: f"{match[1]}{part}{match[2]}", text)


def _profile(profile: Profile) -> str:
    lines = [
        f"**{profile.process}** ({profile.during})",
        "",
        "| self time | function |",
        "|---|---|",
    ]
    lines += [f"| {share:.0%} | `{name}` |" for share, name in profile.top]
    return "\n".join(lines)
