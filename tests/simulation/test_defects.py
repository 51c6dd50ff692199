"""The simulation finds each of these defects: a fix is taken out, and a schedule must fail."""

from collections.abc import Callable, Sequence

import pytest

from command_service import executor
from command_service.relay import reconcile
from command_service.write_store import batch
from command_service.write_store.log_append import NewEvent
from command_service.write_store.transactions import Transactions
from projector.shard import Arrival, Shard
from shared.contracts.views import Checkpoint
from tests.simulation.schedule import first_violation

MAX_SCHEDULES = 5000


@pytest.fixture
def violation_in() -> Callable[[str], str]:
    def find(world: str) -> str:
        outcome = first_violation(world, range(MAX_SCHEDULES))
        assert outcome is not None, "the defect was not found"
        return str(outcome.violation)

    return find


async def _nothing(*_arguments: object) -> None:
    return


async def _not_committed(*_arguments: object) -> bool:
    return False


def _unchanged(event: NewEvent, _shop: object) -> NewEvent:
    return event


def _following_by_position(
    _shard: Shard, checkpoint: Checkpoint, arrivals: Sequence[Arrival]
) -> tuple[Sequence[Arrival], str | None]:
    run: list[Arrival] = []
    for arrival in arrivals:
        next_position = checkpoint.position + len(run) + 1
        if arrival.record.position > next_position:
            return run, "gap"
        if arrival.record.position == next_position:
            run.append(arrival)
    return run, None


def test_a_reconciliation_that_is_not_atomic(
    monkeypatch: pytest.MonkeyPatch, violation_in: Callable[[str], str]
) -> None:
    monkeypatch.setattr(reconcile, "_verify_unchanged", _nothing)
    assert "the topic has" in violation_in("topics")


def test_a_log_divergence_that_the_event_id_in_the_topic_shows(
    monkeypatch: pytest.MonkeyPatch, violation_in: Callable[[str], str]
) -> None:
    monkeypatch.setattr(Shard, "_following", _following_by_position)
    assert violation_in("restores")


def test_a_batch_that_waits_for_a_locked_row_at_each_attempt(
    monkeypatch: pytest.MonkeyPatch, violation_in: Callable[[str], str]
) -> None:
    monkeypatch.setattr(executor, "_SKIP_LOCKED_S", 0.0)
    assert " took " in violation_in("locks")


def test_a_token_that_does_not_cover_its_version(
    monkeypatch: pytest.MonkeyPatch, violation_in: Callable[[str], str]
) -> None:
    monkeypatch.setattr(batch, "_token_sources", lambda *_: {})
    assert " covers " in violation_in("commands")


def test_events_of_a_batch_that_keep_the_data_of_an_erased_user(
    monkeypatch: pytest.MonkeyPatch, violation_in: Callable[[str], str]
) -> None:
    monkeypatch.setattr(batch, "_redact_if_erased", _unchanged)
    assert "personal data" in violation_in("commands")


def test_a_command_that_is_retried_after_a_lost_response_of_commit(
    monkeypatch: pytest.MonkeyPatch, violation_in: Callable[[str], str]
) -> None:
    monkeypatch.setattr(Transactions, "was_committed", _not_committed)
    assert "executed" in violation_in("commands")
