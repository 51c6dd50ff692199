"""The version before this one and this one serve side by side, after the schema was expanded."""

from pathlib import Path

import pytest

from tests.faults.run import run_all
from tests.faults.scenarios import SCENARIOS


async def test_upgraded_and_rolled_back_under_load(tmp_path: Path) -> None:
    (result,) = await run_all([SCENARIOS["rolling-upgrade"]], 1, 4, tmp_path)
    if result.skipped:
        pytest.skip(result.skipped)
    found = {property: lines for property, lines in result.findings.items() if lines}
    assert not found
