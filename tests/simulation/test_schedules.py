"""Schedules with seeded faults violate no invariant, and a seed determines its schedule."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.schedule import first_violation, reduce_faults, run

CHUNK = 250
CHUNKS = {"topics": 20, "views": 6, "restores": 3, "commands": 10, "locks": 1}
CASES = [(world, CHUNK * n) for world, count in CHUNKS.items() for n in range(count)]


@pytest.mark.parametrize(("world", "first"), CASES)
def test_no_schedule_violates_an_invariant(world: str, first: int) -> None:
    outcome = first_violation(world, range(first, first + CHUNK))
    assert outcome is None, str(reduce_faults(outcome))


@pytest.mark.parametrize("world", CHUNKS)
def test_a_seed_determines_its_schedule(world: str) -> None:
    """Also in another process, in which sets of texts have another order."""
    code = "from tests.simulation.schedule import run\n"
    code += f"for seed in range(15): print(run({world!r}, seed).trace)"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }  # fmt: skip
    assert len(outputs) == 1
    assert outputs.pop().splitlines() == [str(run(world, seed).trace) for seed in range(15)]
