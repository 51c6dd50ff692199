"""Runs scenarios one after the other, says how they go, and ends with a table of what held."""

import argparse
import asyncio
import secrets
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from faults import previous
from faults.nemesis import disks
from faults.recovering import all_level
from faults.running import Result, Stage
from faults.scenarios import SCENARIOS, Scenario
from faults.table import table
from faults.world import World


def main() -> None:
    options = _options()
    wanted = _scenarios(options.scenario)
    seed = options.seed if options.seed is not None else secrets.randbelow(10**6)
    directory = Path(options.directory or tempfile.mkdtemp(prefix="tandem-faults-"))
    _say(f"seed {seed}, histories in {directory}")
    results = asyncio.run(run_all(wanted, seed, options.seconds, directory))
    _say("\n" + table(results))
    _say(f"\nseed {seed}, histories in {directory}")
    sys.exit(any(result.failed for result in results))


async def run_all(
    wanted: Sequence[Scenario], seed: int, seconds: float, directory: Path
) -> list[Result]:
    """One after the other, in the same world as long as that is whole and fits."""
    results: list[Result] = []
    stage: Stage | None = None
    before: Scenario | None = None
    try:
        for scenario in wanted:
            _say(f"\n{scenario.name}: {scenario.about}")
            if reason := scenario.missing():
                _say(f"  skipped: {reason}")
                results.append(Result(scenario, skipped=reason))
                continue
            if stage is not None and not (before and _fits(before, scenario, results[-1])):
                await _leave(stage)
                stage = None
            stage = stage or await _new_stage(scenario, directory)
            results.append(await _play(stage, scenario, seed, seconds, directory))
            before = scenario
    finally:
        if stage is not None:
            await _leave(stage)
    return results


def _fits(before: Scenario, scenario: Scenario, result: Result) -> bool:
    alike = _ground(before) == _ground(scenario)
    return alike and not (before.alone or scenario.alone or result.failed)


def _ground(scenario: Scenario) -> tuple[object, ...]:
    return scenario.through, scenario.environment, scenario.shape


async def _new_stage(scenario: Scenario, directory: Path) -> Stage:
    own = directory / f"world-of-{scenario.name}-{secrets.token_hex(2)}"
    own.mkdir(parents=True)
    disk = _small_disk(own) if scenario.own_disk else None
    before = previous.check_out(own) if scenario.from_previous else None
    world = World(own, scenario.through, scenario.environment, disk, scenario.shape, before)
    try:
        await world.start()
        await all_level(world)
    except BaseException:
        await _end(world)
        raise
    _say(f"  everything runs after {world.clock():.0f} s")
    return Stage(world)


async def _leave(stage: Stage) -> None:
    stage.history.close()
    await _end(stage.world)


async def _end(world: World) -> None:
    await world.stop()
    if (disk := world.postgres.data_dir.parent) != world.directory:
        disks.unmount(disk)


def _small_disk(directory: Path) -> Path:
    disk = directory / "disk"
    disk.mkdir()
    if reason := disks.mount(disk):
        raise SystemExit(reason)
    return disk


async def _play(
    stage: Stage, scenario: Scenario, seed: int, seconds: float, directory: Path
) -> Result:
    own = directory / scenario.name
    own.mkdir(parents=True, exist_ok=True)
    result = await stage.play(scenario, seed, seconds, own, lambda line: _say(f"  {line}"))
    for name, findings in result.findings.items():
        for line in findings[:5]:
            _say(f"  {name} FAILED: {line[:400]}")
        if len(findings) > 5:
            _say(f"  {name}: and {len(findings) - 5} more, in {own / 'findings.txt'}")
    return result


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--scenario", default="kill", help="names, with commas, or all")
    parser.add_argument("--seed", type=int, help="chosen by chance unless given")
    parser.add_argument("--seconds", type=float, default=30, help="how long each fault lasts")
    parser.add_argument("--directory", help="where histories are kept; new unless given")
    parser.add_argument("--list", action="store_true", help="says which scenarios there are")
    options = parser.parse_args()
    if options.list:
        _say("\n".join(f"{s.name:28} {s.about}" for s in SCENARIOS.values()))
        sys.exit()
    return options


def _scenarios(names: str) -> Sequence[Scenario]:
    if names == "all":
        return list(SCENARIOS.values())
    unknown = [name for name in names.split(",") if name not in SCENARIOS]
    if unknown:
        sys.exit(f"no such scenario: {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    return [SCENARIOS[name] for name in names.split(",")]


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
