"""Background jobs are started again after any failure, with a growing delay."""

import asyncio

from command_service.relay.retry import Backoff, run_forever
from tests.support.virtual_time import run_in_virtual_time


def test_the_delay_doubles_up_to_its_maximum_until_a_reset() -> None:
    backoff = Backoff(1, 5)
    assert [backoff.next_delay() for _ in range(5)] == [1, 2, 4, 5, 5]
    backoff.reset()
    assert backoff.next_delay() == 1


def test_a_failed_job_is_counted_and_started_again() -> None:
    started: list[float] = []
    failures: list[float] = []

    async def job() -> None:
        clock = asyncio.get_running_loop().time
        started.append(clock())
        if len(started) == 4:  # it runs for long, so its next failure starts a new series
            await asyncio.sleep(60)
        raise RuntimeError("a defect")

    async def run_for_two_minutes() -> None:
        clock = asyncio.get_running_loop().time
        task = asyncio.create_task(run_forever("job", job, lambda: failures.append(clock())))
        await asyncio.sleep(120)
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])

    run_in_virtual_time(run_for_two_minutes())
    assert [round(time, 1) for time in started[:6]] == [0, 0.2, 0.6, 1.4, 61.6, 62.0]
    assert len(failures) in (len(started), len(started) - 1)
