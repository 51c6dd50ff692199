"""A short selection of the scenarios, for every run of the tests; `make faults` has all of them."""

from typing import Final

import pytest

from faults.run import run_all
from faults.running import Result
from faults.scenarios import SCENARIOS

# In one world: starting another one costs as much as a scenario.
SELECTION: Final = ("kill", "redis-file-cut")
_SEED: Final = 1
_SECONDS: Final = 6


@pytest.fixture(scope="module")
async def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    wanted = [SCENARIOS[name] for name in SELECTION]
    played = await run_all(wanted, _SEED, _SECONDS, tmp_path_factory.mktemp("faults"))
    return {result.scenario.name: result for result in played}


@pytest.mark.parametrize("name", SELECTION)
async def test_the_promises_hold_through(results: dict[str, Result], name: str) -> None:
    found = {property: lines for property, lines in results[name].findings.items() if lines}
    assert not found
