"""Writes what a run found to files that the documentation takes in."""

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.figures import Profile, Result
from tests.bench.sections.section import Options
from tests.bench.table import for_documents


def keep(directory: Path, results: Mapping[str, Result], options: Options) -> None:
    """`table.md` and `profiles.md`; a chart for each that has points."""
    directory.mkdir(parents=True, exist_ok=True)
    rows = [row for result in results.values() for row in result.rows]
    remarks = [f"- {remark}" for result in results.values() for remark in result.remarks]
    heading = f"{machine()}; {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    text = "\n\n".join([heading, for_documents(rows), "\n".join(remarks)])
    (directory / "table.md").write_text(text + "\n")
    profiles = [seen for result in results.values() for seen in result.profiles]
    (directory / "profiles.md").write_text("\n\n".join(map(_profile, profiles)) + "\n")


def machine() -> str:
    """What it ran on."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor() or platform.machine(),
    )
    return f"{os.cpu_count()} × {cpu}, {platform.system()}, Python {platform.python_version()}"


def _profile(seen: Profile) -> str:
    lines = [f"**{seen.process}** ({seen.during})", "", "| own time | function |", "|---|---|"]
    lines += [f"| {share:.0%} | `{name}` |" for share, name in seen.top]
    return "\n".join(lines)
