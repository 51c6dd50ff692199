"""Runs scenarios one after the other, reports their progress, and prints a table of the results."""

import argparse
import asyncio
import secrets
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from faults import previous_version
from faults.nemesis import disks
from faults.recovery import wait_caught_up
from faults.scenarios import SCENARIOS, Scenario
from faults.stage import ScenarioResult, Stage
from faults.system import SystemUnderTest
from faults.table import table


def main() -> None:
    options = _options()
    scenarios = _scenarios(options.scenario)
    seed = options.seed if options.seed is not None else secrets.randbelow(10**6)
    directory = Path(options.directory or tempfile.mkdtemp(prefix="tandem-faults-"))
    _print(f"seed {seed}, histories in {directory}")
    results = asyncio.run(run_all(scenarios, seed, options.seconds, directory))
    _print("\n" + table(results))
    _print(f"\nseed {seed}, histories in {directory}")
    sys.exit(any(result.failed for result in results))


async def run_all(
    scenarios: Sequence[Scenario], seed: int, seconds: float, directory: Path
) -> list[ScenarioResult]:
    """Runs them one after the other, in the same system as long as it fits and nothing failed."""
    results: list[ScenarioResult] = []
    stage: Stage | None = None
    before: Scenario | None = None
    try:
        for scenario in scenarios:
            _print(f"\n{scenario.name}: {scenario.description}")
            if reason := scenario.unavailable_reason():
                _print(f"  skipped: {reason}")
                results.append(ScenarioResult(scenario, skipped=reason))
                continue
            if stage is not None and not (before and _can_share(before, scenario, results[-1])):
                await _close(stage)
                stage = None
            stage = stage or await _start_stage(scenario, directory)
            results.append(await _run(stage, scenario, seed, seconds, directory))
            before = scenario
    finally:
        if stage is not None:
            await _close(stage)
    return results


def _can_share(before: Scenario, scenario: Scenario, result: ScenarioResult) -> bool:
    same = _setup(before) == _setup(scenario)
    return same and not (before.alone or scenario.alone or result.failed)


def _setup(scenario: Scenario) -> tuple[object, ...]:
    return scenario.proxies, scenario.environment, scenario.topology


async def _start_stage(scenario: Scenario, directory: Path) -> Stage:
    own = directory / f"system-{scenario.name}-{secrets.token_hex(2)}"
    own.mkdir(parents=True)
    disk = _mount_small_disk(own) if scenario.own_disk else None
    previous = previous_version.check_out(own) if scenario.from_previous else None
    system = SystemUnderTest(
        own, scenario.proxies, scenario.environment, disk, scenario.topology, previous
    )
    try:
        await system.start()
        await wait_caught_up(system)
    except BaseException:
        await _stop(system)
        raise
    _print(f"  started in {system.clock():.0f} s")
    return Stage(system)


async def _close(stage: Stage) -> None:
    stage.history.close()
    await _stop(stage.system)


async def _stop(system: SystemUnderTest) -> None:
    await system.stop()
    if (disk := system.postgres.data_dir.parent) != system.directory:
        disks.unmount(disk)


def _mount_small_disk(directory: Path) -> Path:
    disk = directory / "disk"
    disk.mkdir()
    if reason := disks.mount(disk):
        raise SystemExit(reason)
    return disk


async def _run(
    stage: Stage, scenario: Scenario, seed: int, seconds: float, directory: Path
) -> ScenarioResult:
    own = directory / scenario.name
    own.mkdir(parents=True, exist_ok=True)
    result = await stage.run(scenario, seed, seconds, own, lambda line: _print(f"  {line}"))
    for name, findings in result.findings.items():
        for line in findings[:5]:
            _print(f"  {name} FAILED: {line[:400]}")
        if len(findings) > 5:
            _print(f"  {name}: and {len(findings) - 5} more, in {own / 'findings.txt'}")
    return result


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--scenario", default="kill", help="names separated by commas, or all")
    parser.add_argument("--seed", type=int, help="random by default")
    parser.add_argument("--seconds", type=float, default=30, help="duration of each fault")
    parser.add_argument("--directory", help="of the histories; temporary by default")
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    options = parser.parse_args()
    if options.list:
        _print("\n".join(f"{s.name:28} {s.description}" for s in SCENARIOS.values()))
        sys.exit()
    return options


def _scenarios(names: str) -> Sequence[Scenario]:
    if names == "all":
        return list(SCENARIOS.values())
    unknown = [name for name in names.split(",") if name not in SCENARIOS]
    if unknown:
        sys.exit(
            f"unknown scenario: {', '.join(unknown)}; the scenarios are {', '.join(SCENARIOS)}"
        )
    return [SCENARIOS[name] for name in names.split(",")]


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
