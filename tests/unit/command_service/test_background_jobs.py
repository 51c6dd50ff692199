"""No error of a background job ends it: it is logged, counted and retried."""

import asyncio

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from command_service.background_jobs import run_periodically
from command_service.metrics import Metrics


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("defect"),
        asyncpg.InsufficientPrivilegeError("EXECUTE on pg_notify was revoked"),
        asyncpg.ProgramLimitExceededError("too many notifications in the NOTIFY queue"),
        OSError("connection refused"),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_job_that_fails_runs_again(error: Exception) -> None:
    registry = CollectorRegistry()
    attempts, third = 0, asyncio.Event()

    async def job() -> bool:
        nonlocal attempts
        attempts += 1
        if attempts == 3:
            third.set()
            await asyncio.Event().wait()  # until it is cancelled
        raise error

    failures = Metrics(registry).job_failures
    task = asyncio.create_task(run_periodically("sweep", job, failures, pause_s=0.001))
    await asyncio.wait_for(third.wait(), 5)
    task.cancel()
    count = registry.get_sample_value("tandem_background_job_failures_total", {"job": "sweep"})
    assert count == 2


async def test_the_pause_grows_while_the_job_fails_up_to_a_maximum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 8:
            enough.set()
            await asyncio.Event().wait()

    async def job() -> bool:
        raise OSError

    monkeypatch.setattr("command_service.background_jobs.asyncio.sleep", sleep)
    failures = Metrics(CollectorRegistry()).job_failures
    run = run_periodically("sweep", job, failures, pause_s=1, max_pause_s=10)
    task = asyncio.create_task(run)
    await enough.wait()
    task.cancel()
    assert pauses == [2, 4, 8, 10, 10, 10, 10, 10]


async def test_a_cancellation_that_a_driver_replaces_by_an_error_still_ends_the_job() -> None:
    started = asyncio.Event()

    async def job() -> bool:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise asyncpg.InternalClientError from None
        return False

    failures = Metrics(CollectorRegistry()).job_failures
    task = asyncio.create_task(run_periodically("sweep", job, failures, pause_s=0.001))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
