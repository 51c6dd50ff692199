"""Runs the sections one after the other, says how they go, ends with the table."""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Result
from benchmarks.report import document, keep
from benchmarks.sections.registry import SECTIONS
from benchmarks.sections.section import Options
from benchmarks.table import for_terminal
from benchmarks.world import World


def main() -> None:
    options = _options()
    names = _sections(options.section)
    directory = Path(tempfile.mkdtemp(prefix="tandem-bench-"))
    asked = Options(
        seconds=options.seconds,
        rounds=options.rounds,
        orders=tuple(int(count) for count in options.orders.split(",")),
        events=options.events,
        profiles=not options.no_profiles,
        say=_say,
    )
    begun = time.monotonic()
    try:
        results = asyncio.run(_run(names, asked, directory))
    except BaseException:
        _tell(f"what its processes said is in {directory}")
        raise
    shutil.rmtree(directory, ignore_errors=True)
    rows = [row for result, _ in results.values() for row in result.rows]
    _tell("\n" + for_terminal(rows))
    for result, _ in results.values():
        _tell("".join(f"\n{remark}" for remark in result.remarks))
    _tell(f"\n{time.monotonic() - begun:.0f} seconds")
    keep(Path(options.keep), results)
    if options.document:
        document(Path(options.keep))


async def _run(
    names: Sequence[str], options: Options, directory: Path
) -> dict[str, tuple[Result, float]]:
    """Each section's result, and the load average before it began."""
    world = World(directory)
    load = os.getloadavg()[0]
    _tell(f"load average {load:.1f}; starting PostgreSQL, Valkey and Kafka")
    try:
        await world.start()
        results = {}
        for name in names:
            _tell(f"\n{name}")
            begun = time.monotonic()
            results[name] = (await SECTIONS[name](world, options), load)
            _say(f"{time.monotonic() - begun:.0f} seconds")
        return results
    finally:
        world.stop()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--section", default="all", help="names, with commas, or all")
    parser.add_argument("--seconds", type=float, default=2.5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="the median counts")
    parser.add_argument("--orders", default="10000,100000", help="sizes that lists are read at")
    parser.add_argument("--events", type=int, default=200_000, help="of a backlog")
    parser.add_argument("--no-profiles", action="store_true", help="measure only")
    parser.add_argument("--keep", default=".tandem/bench", help="where results are kept")
    parser.add_argument("--document", action="store_true", help="and put into docs/performance.md")
    return parser.parse_args()


def _sections(names: str) -> Sequence[str]:
    if names == "all":
        return list(SECTIONS)
    unknown = [name for name in names.split(",") if name not in SECTIONS]
    if unknown:
        sys.exit(f"no such section: {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    return names.split(",")


def _say(line: str) -> None:
    _tell(f"  {line}")


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
