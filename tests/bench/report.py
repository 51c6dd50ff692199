"""Keeps what sections found, and writes from all that is kept what the documentation shows."""

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import orjson
from pydantic import TypeAdapter

from tests.bench.chart import chart
from tests.bench.figures import Profile, Result
from tests.bench.sections.registry import SECTIONS
from tests.bench.table import for_documents

_RESULT = TypeAdapter(Result)


def keep(directory: Path, results: Mapping[str, Result]) -> None:
    """A file for each section; `table.md`, `profiles.md` and charts from those of all sections.

    So that sections can be measured one at a time, when the machine is quiet.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, result in results.items():
        (directory / f"{name}.json").write_bytes(orjson.dumps(_RESULT.dump_python(result)))
    kept = [path for name in SECTIONS if (path := directory / f"{name}.json").exists()]
    found = [_RESULT.validate_json(path.read_bytes()) for path in kept]
    remarks = [f"- {remark}" for result in found for remark in result.remarks]
    rows = for_documents([row for result in found for row in result.rows])
    text = "\n\n".join([f"{machine()}; {datetime.now(UTC):%Y-%m-%d}.", rows, "\n".join(remarks)])
    (directory / "table.md").write_text(text + "\n")
    profiles = [_profile(seen) for result in found for seen in result.profiles]
    (directory / "profiles.md").write_text("\n\n".join(profiles) + "\n")
    points = [point for result in found for point in result.points]
    for title in dict.fromkeys(point.chart for point in points):
        own = [point for point in points if point.chart == title]
        name = title.lower().replace(" ", "-")
        (directory / f"{name}.svg").write_text(chart(title, own))


def machine() -> str:
    """What it ran on."""
    cpu = platform.processor() or platform.machine()
    described = Path("/proc/cpuinfo")
    if described.exists():
        names = [line for line in described.read_text().splitlines() if "model name" in line]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    return f"{os.cpu_count()} × {cpu}, {platform.system()}, Python {platform.python_version()}"


def _profile(seen: Profile) -> str:
    lines = [f"**{seen.process}** ({seen.during})", "", "| own time | function |", "|---|---|"]
    lines += [f"| {share:.0%} | `{name}` |" for share, name in seen.top]
    return "\n".join(lines)
