"""The simulation finds each of these defects: a fix is taken out, and a schedule must fail."""

import pytest

from command_service.relay import reconcile
from tests.simulation.schedule import find_violation


async def _skip(*_arguments: object) -> None:
    return


def test_a_reconciliation_that_is_not_atomic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "_verify_unchanged", _skip)
    outcome = find_violation("topics", range(2000))
    assert outcome is not None
    assert "the topic has" in str(outcome.violation)
