"""A short selection of the scenarios; `make faults` runs all of them."""

from typing import Final

import pytest

from faults.run import run_all
from faults.scenarios import SCENARIOS
from faults.stage import ScenarioResult

# They share a system: starting another one takes as long as a scenario.
SELECTION: Final = ("kill", "redis-aof-truncated", "erasure-in-batch", "payment-deadlines")
_SEED: Final = 1
_SECONDS: Final = 6


@pytest.fixture(scope="module")
async def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ScenarioResult]:
    scenarios = [SCENARIOS[name] for name in SELECTION]
    results = await run_all(scenarios, _SEED, _SECONDS, tmp_path_factory.mktemp("faults"))
    return {result.scenario.name: result for result in results}


@pytest.mark.parametrize("name", SELECTION)
async def test_the_guarantees_hold(results: dict[str, ScenarioResult], name: str) -> None:
    findings = {property: lines for property, lines in results[name].findings.items() if lines}
    assert not findings
