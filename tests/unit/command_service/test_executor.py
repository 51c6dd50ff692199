"""Queued commands form batches; a failing command is isolated; each gets its own result."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from command_service.commands.command import Context
from command_service.commands.retire_product import COMMAND, RetireProduct
from command_service.exceptions import (
    CommitOutcomeUnknown,
    LockTimeout,
    Overloaded,
    TransientFailure,
    Unavailable,
)
from command_service.executor import Executor
from command_service.metrics import Metrics
from command_service.write_store.batch import Blocked, Outcome, Postponed
from command_service.write_store.pending_command import PendingCommand
from command_service.write_store.results import Accepted

RunBatch = Callable[[Sequence[PendingCommand], bool], Awaitable[list[Outcome]]]


@asynccontextmanager
async def executor(
    run: RunBatch, max_concurrent_batches: int = 1, max_queue_depth: int = 100
) -> AsyncIterator[Executor]:
    metrics = Metrics(CollectorRegistry())
    running = Executor(
        run,
        metrics,
        max_concurrent_batches=max_concurrent_batches,
        max_batch_size=8,
        max_queue_depth=max_queue_depth,
    )
    running.start()
    yield running
    await running.stop()


def pending(id: str, timeout_s: float = 30.0) -> PendingCommand:
    loop = asyncio.get_running_loop()
    context = Context(id, "caller", True, datetime.now(UTC))
    deadline = loop.time() + timeout_s
    return PendingCommand(
        COMMAND, RetireProduct(), context, None, b"", None, deadline, loop.create_future()
    )


def accept(batch: Sequence[PendingCommand]) -> list[Outcome]:
    return [Accepted(p.context.id, 1, "") for p in batch]


async def test_commands_that_arrive_while_a_batch_runs_form_the_next_one() -> None:
    sizes: list[int] = []
    first_started, go = asyncio.Event(), asyncio.Event()

    async def run(batch: Sequence[PendingCommand], skip_locked: bool) -> list[Outcome]:
        sizes.append(len(batch))
        first_started.set()
        await go.wait()
        return accept(batch)

    async with executor(run) as running:
        results = [asyncio.ensure_future(running.execute(pending("0")))]
        await first_started.wait()
        results += [asyncio.ensure_future(running.execute(pending(str(n)))) for n in range(1, 13)]
        await asyncio.sleep(0)
        go.set()
        assert [a.id for a in await asyncio.gather(*results) if isinstance(a, Accepted)] == [
            str(n) for n in range(13)
        ]
    assert sizes == [1, 8, 4]


async def test_only_the_command_that_makes_its_batch_fail_fails() -> None:
    async def run(batch: Sequence[PendingCommand], skip_locked: bool) -> list[Outcome]:
        if any(p.context.id == "bad" for p in batch):
            raise ValueError
        return accept(batch)

    async with executor(run) as running:
        ids = ["a", "b", "bad", "c", "d"]
        results = await asyncio.gather(
            *(running.execute(pending(id)) for id in ids), return_exceptions=True
        )
    assert [isinstance(result, Accepted) for result in results] == [True, True, False, True, True]
    assert isinstance(results[2], ValueError)


async def test_a_transient_failure_is_retried() -> None:
    attempts = 0

    async def run(batch: Sequence[PendingCommand], skip_locked: bool) -> list[Outcome]:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise TransientFailure("deadlock")
        return accept(batch)

    async with executor(run) as running:
        assert isinstance(await running.execute(pending("a")), Accepted)
    assert attempts == 3


async def test_a_postponed_command_is_part_of_a_later_batch() -> None:
    batches: list[list[str]] = []

    async def run(batch: Sequence[PendingCommand], skip_locked: bool) -> list[Outcome]:
        batches.append([p.context.id for p in batch])
        if len(batches) == 1:
            return [Postponed() for _ in batch]
        return accept(batch)

    async with executor(run) as running:
        assert isinstance(await running.execute(pending("a")), Accepted)
    assert batches == [["a"], ["a"]]


async def test_a_command_that_is_not_decided_in_time_is_unavailable() -> None:
    async def run(batch: Sequence[PendingCommand], skip_locked: bool) -> list[Outcome]:
        await asyncio.Event().wait()
        return accept(batch)

    async with executor(run) as running:
        with pytest.raises(Unavailable):
            await running.execute(pending("a", timeout_s=0.05))


async def test_an_unknown_commit_outcome_is_unavailable_and_not_retried() -> None:
    attempts = 0

    async def run(batch: Sequence[PendingCommand], skip_locked: bool) -> list[Outcome]:
        nonlocal attempts
        attempts += 1
        raise CommitOutcomeUnknown

    async with executor(run) as running:
        with pytest.raises(Unavailable):
            await running.execute(pending("a"))
    assert attempts == 1


async def test_a_full_queue_rejects_commands_at_once() -> None:
    go = asyncio.Event()

    async def run(batch: Sequence[PendingCommand], skip_locked: bool) -> list[Outcome]:
        await go.wait()
        return accept(batch)

    async with executor(run, max_queue_depth=2) as running:
        results = []
        for n in range(3):
            results.append(asyncio.ensure_future(running.execute(pending(str(n)))))
            await asyncio.sleep(0.01)
        with pytest.raises(Overloaded):
            await running.execute(pending("more"))
        go.set()
        await asyncio.gather(*results)


async def test_after_a_lock_timeout_only_the_commands_that_need_the_lock_wait() -> None:
    runs: list[tuple[list[str], bool]] = []
    released = asyncio.Event()

    async def run(batch: Sequence[PendingCommand], skip_locked: bool) -> list[Outcome]:
        ids = [p.context.id for p in batch]
        runs.append((ids, skip_locked))
        if "locked" in ids and not released.is_set():
            if not skip_locked:
                raise LockTimeout
            return [
                Blocked() if id == "locked" else accepted
                for id, accepted in zip(ids, accept(batch), strict=True)
            ]
        return accept(batch)

    async with executor(run) as running:
        blocked = asyncio.ensure_future(running.execute(pending("locked")))
        others = [asyncio.ensure_future(running.execute(pending(str(n)))) for n in range(3)]
        assert all(isinstance(result, Accepted) for result in await asyncio.gather(*others))
        assert [skip for ids, skip in runs if "locked" in ids][:2] == [False, True]
        assert isinstance(await running.execute(pending("later")), Accepted)
        assert not blocked.done()
        released.set()
        assert isinstance(await blocked, Accepted)
    assert [skip for _, skip in runs].count(False) == 1


async def test_a_postponed_command_keeps_its_deadline_in_another_concurrent_batch() -> None:
    """It is postponed by one batch, and taken by a second one while the first still ends."""
    second_runs, first_ends = asyncio.Event(), asyncio.Event()
    attempts = 0

    async def run(batch: Sequence[PendingCommand], skip_locked: bool) -> list[Outcome]:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            return [Postponed() for _ in batch]
        second_runs.set()
        await first_ends.wait()
        return accept(batch)

    async with executor(run, max_concurrent_batches=2) as running:
        command = asyncio.ensure_future(running.execute(pending("a", timeout_s=0.3)))
        await second_runs.wait()
        with pytest.raises(Unavailable):
            await asyncio.wait_for(command, 5)
        first_ends.set()
