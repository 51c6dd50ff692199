"""The time of events is PostgreSQL's, whatever the clock of the replica's machine."""

import time
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from command_service.database_clock import DatabaseClock
from command_service.write_store.pool import Pool
from shared.http.problems import Problem

REPORTED = datetime(2026, 3, 1, 9, 30, 0, 125_900, tzinfo=UTC)


class _Pool:
    """Reports one time, and takes 0.2 s for it."""

    def __init__(self, monotonic: list[float]) -> None:
        self._monotonic = monotonic

    async def fetchval(self, query: str) -> datetime:
        self._monotonic[0] += 0.2
        return REPORTED


@pytest.mark.parametrize("offset_s", [3600, -3600])
async def test_the_wall_clock_of_the_replica_does_not_matter(
    offset_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monotonic = [100.0]
    clock = DatabaseClock(lambda: monotonic[0])
    await clock.measure(cast(Pool, _Pool(monotonic)))
    right = time.time()
    monkeypatch.setattr(time, "time", lambda: right + offset_s)
    monotonic[0] += 60
    assert clock.now() == REPORTED.replace(microsecond=0) + timedelta(seconds=60.225)


def test_there_is_no_time_before_the_first_measurement() -> None:
    with pytest.raises(Problem):
        DatabaseClock().now()
