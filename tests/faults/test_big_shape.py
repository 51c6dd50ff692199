"""The promises on three brokers, a Redis Cluster with failover, and two of each of ours."""

from typing import Final

import pytest

from faults.run import run_all
from faults.running import Result
from faults.scenarios import SCENARIOS

SELECTION: Final = ("broker-kill", "redis-failover", "replicas-come-and-go")
_SEED: Final = 1
_SECONDS: Final = 4


@pytest.fixture(scope="module")
async def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    wanted = [SCENARIOS[name] for name in SELECTION]
    played = await run_all(wanted, _SEED, _SECONDS, tmp_path_factory.mktemp("big"))
    return {result.scenario.name: result for result in played}


@pytest.mark.parametrize("name", SELECTION)
async def test_the_promises_hold_through(results: dict[str, Result], name: str) -> None:
    found = {property: lines for property, lines in results[name].findings.items() if lines}
    assert not found
