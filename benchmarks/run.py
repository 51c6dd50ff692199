"""Runs the sections one after the other, reports their progress, and prints the table."""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import store, update_documentation
from benchmarks.results import Result
from benchmarks.sections.registry import SECTIONS
from benchmarks.sections.section import Options
from benchmarks.servers import Servers
from benchmarks.table import plain_text


def main() -> None:
    options = _options()
    names = _sections(options.section)
    directory = Path(tempfile.mkdtemp(prefix="tandem-bench-"))
    section_options = Options(
        seconds=options.seconds,
        rounds=options.rounds,
        orders=tuple(int(count) for count in options.orders.split(",")),
        events=options.events,
        profiles=not options.no_profiles,
        report=_report,
    )
    begun = time.monotonic()
    try:
        results = asyncio.run(_run(names, section_options, directory))
    except BaseException:
        _print(f"the logs of the processes are in {directory}")
        raise
    shutil.rmtree(directory, ignore_errors=True)
    rows = [row for result, _ in results.values() for row in result.rows]
    _print("\n" + plain_text(rows))
    for result, _ in results.values():
        _print("".join(f"\n{remark}" for remark in result.remarks))
    _print(f"\n{time.monotonic() - begun:.0f} seconds")
    results_directory = Path(options.results_directory)
    store(results_directory, results)
    if options.document:
        update_documentation(results_directory)


async def _run(
    names: Sequence[str], options: Options, directory: Path
) -> dict[str, tuple[Result, float]]:
    """Each section's result, and the load average before the run."""
    servers = Servers(directory)
    load = os.getloadavg()[0]
    _print(f"load average {load:.1f}; starting PostgreSQL, Valkey and Kafka")
    try:
        await servers.start()
        results = {}
        for name in names:
            _print(f"\n{name}")
            begun = time.monotonic()
            results[name] = (await SECTIONS[name](servers, options), load)
            _report(f"{time.monotonic() - begun:.0f} seconds")
        return results
    finally:
        servers.stop()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--section", default="all", help="names separated by commas, or all")
    parser.add_argument("--seconds", type=float, default=2.5, help="duration of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts")
    parser.add_argument("--orders", default="10000,100000", help="numbers of orders for lists")
    parser.add_argument("--events", type=int, default=200_000, help="size of a backlog")
    parser.add_argument("--no-profiles", action="store_true", help="measure only")
    parser.add_argument("--results-directory", default=".tandem/bench")
    parser.add_argument("--document", action="store_true", help="update docs/performance.md")
    return parser.parse_args()


def _sections(names: str) -> Sequence[str]:
    if names == "all":
        return list(SECTIONS)
    unknown = [name for name in names.split(",") if name not in SECTIONS]
    if unknown:
        sys.exit(f"unknown section: {', '.join(unknown)}; the sections are {', '.join(SECTIONS)}")
    return names.split(",")


def _report(line: str) -> None:
    _print(f"  {line}")


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
