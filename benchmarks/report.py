"""Keeps what sections found, and writes the documentation's part from all that is kept."""

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
from benchmarks.figures import Profile, Result
from benchmarks.sections.registry import SECTIONS
from benchmarks.table import for_documents

_DOCS: Final = Path(__file__).parents[1] / "docs"


@dataclass(frozen=True, slots=True)
class Kept:
    """A section's result; `load` is the machine's load average just before, by other work."""

    result: Result
    load: float
    at: str


_KEPT: Final = TypeAdapter(Kept)


def keep(directory: Path, results: Mapping[str, tuple[Result, float]]) -> None:
    """A file for each section, so that sections can be measured one at a time."""
    directory.mkdir(parents=True, exist_ok=True)
    at = f"{datetime.now(UTC):%Y-%m-%d}"
    for name, (result, load) in results.items():
        kept = _KEPT.dump_python(Kept(result, load, at))
        (directory / f"{name}.json").write_bytes(orjson.dumps(kept))


def document(directory: Path, docs: Path = _DOCS) -> None:
    """Puts table, profiles and charts of all that is kept into docs/performance.md."""
    paths = [path for name in SECTIONS if (path := directory / f"{name}.json").exists()]
    kept = [_KEPT.validate_json(path.read_bytes()) for path in paths]
    page = docs / "performance.md"
    text = _between(page.read_text(), "table", _table(kept))
    profiles = [_profile(seen) for of in kept for seen in of.result.profiles]
    page.write_text(_between(text, "profiles", "\n\n".join(profiles)))
    points = [point for of in kept for point in of.result.points]
    for title in dict.fromkeys(point.chart for point in points):
        picture = chart(title, [point for point in points if point.chart == title])
        (docs / "charts").mkdir(exist_ok=True)
        (docs / "charts" / f"{title.lower().replace(' ', '-')}.svg").write_text(picture)


def machine() -> str:
    """What it ran on."""
    cpu = platform.processor() or platform.machine()
    described = Path("/proc/cpuinfo")
    if described.exists():
        names = [line for line in described.read_text().splitlines() if "model name" in line]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    return f"{os.cpu_count()} × {cpu}, {platform.system()}, Python {platform.python_version()}"


def _table(kept: list[Kept]) -> str:
    loads = [of.load for of in kept]
    days = sorted({of.at for of in kept})
    heading = (
        f"{machine()}; {' and '.join(days)}. Load average by other work when the sections began:"
        f" {min(loads):.1f} to {max(loads):.1f}."
    )
    rows = for_documents([row for of in kept for row in of.result.rows])
    remarks = "\n".join(f"- {remark}" for of in kept for remark in of.result.remarks)
    return "\n\n".join([heading, rows, remarks])


def _between(text: str, name: str, part: str) -> str:
    """The text with what stands between the marks `<!-- name -->` and `<!-- end -->` replaced."""
    marks = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- end -->)", re.DOTALL)
    return marks.sub(lambda match: f"{match[1]}{part}{match[2]}", text)


def _profile(seen: Profile) -> str:
    lines = [f"**{seen.process}** ({seen.during})", "", "| own time | function |", "|---|---|"]
    lines += [f"| {share:.0%} | `{name}` |" for share, name in seen.top]
    return "\n".join(lines)
