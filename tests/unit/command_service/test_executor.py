"""Commands are gathered into batches; a bad one stands alone; each gets its answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from command_service.commands.command import Context
from command_service.commands.retire_product import COMMAND, RetireProduct
from command_service.executor import Executor, Overloaded, Unavailable
from command_service.metrics import Metrics
from command_service.write_store.batch import Outcome, Postponed
from command_service.write_store.pending_command import PendingCommand
from command_service.write_store.results import Accepted
from command_service.write_store.transactions import TransientFailure, Unknown

RunBatch = Callable[[Sequence[PendingCommand]], Awaitable[list[Outcome]]]


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


def pending(id: str, seconds: float = 30.0) -> PendingCommand:
    loop = asyncio.get_running_loop()
    context = Context(id, "caller", True, datetime.now(UTC))
    deadline = loop.time() + seconds
    return PendingCommand(
        COMMAND, RetireProduct(), context, None, b"", None, deadline, loop.create_future()
    )


def accept(batch: Sequence[PendingCommand]) -> list[Outcome]:
    return [Accepted(p.context.id, 1, "") for p in batch]


async def test_commands_that_come_while_a_batch_runs_form_the_next_one() -> None:
    sizes: list[int] = []
    first, go = asyncio.Event(), asyncio.Event()

    async def run(batch: Sequence[PendingCommand]) -> list[Outcome]:
        sizes.append(len(batch))
        first.set()
        await go.wait()
        return accept(batch)

    async with executor(run) as running:
        answers = [asyncio.ensure_future(running.execute(pending("0")))]
        await first.wait()
        answers += [asyncio.ensure_future(running.execute(pending(str(n)))) for n in range(1, 13)]
        await asyncio.sleep(0)
        go.set()
        assert [a.id for a in await asyncio.gather(*answers) if isinstance(a, Accepted)] == [
            str(n) for n in range(13)
        ]
    assert sizes == [1, 8, 4]


async def test_a_command_that_breaks_its_batch_is_refused_alone() -> None:
    async def run(batch: Sequence[PendingCommand]) -> list[Outcome]:
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


async def test_what_passes_by_itself_is_tried_again() -> None:
    tries = 0

    async def run(batch: Sequence[PendingCommand]) -> list[Outcome]:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise TransientFailure("deadlock")
        return accept(batch)

    async with executor(run) as running:
        assert isinstance(await running.execute(pending("a")), Accepted)
    assert tries == 3


async def test_a_postponed_command_comes_in_a_later_batch() -> None:
    seen: list[list[str]] = []

    async def run(batch: Sequence[PendingCommand]) -> list[Outcome]:
        seen.append([p.context.id for p in batch])
        if len(seen) == 1:
            return [Postponed() for _ in batch]
        return accept(batch)

    async with executor(run) as running:
        assert isinstance(await running.execute(pending("a")), Accepted)
    assert seen == [["a"], ["a"]]


async def test_a_command_that_is_not_decided_in_time_is_unavailable() -> None:
    async def run(batch: Sequence[PendingCommand]) -> list[Outcome]:
        await asyncio.Event().wait()
        return accept(batch)

    async with executor(run) as running:
        with pytest.raises(Unavailable):
            await running.execute(pending("a", seconds=0.05))


async def test_an_unknown_commit_is_unavailable_and_not_tried_again() -> None:
    tries = 0

    async def run(batch: Sequence[PendingCommand]) -> list[Outcome]:
        nonlocal tries
        tries += 1
        raise Unknown

    async with executor(run) as running:
        with pytest.raises(Unavailable):
            await running.execute(pending("a"))
    assert tries == 1


async def test_too_many_waiting_commands_are_refused_at_once() -> None:
    go = asyncio.Event()

    async def run(batch: Sequence[PendingCommand]) -> list[Outcome]:
        await go.wait()
        return accept(batch)

    async with executor(run, max_queue_depth=2) as running:
        answers = []
        for n in range(3):
            answers.append(asyncio.ensure_future(running.execute(pending(str(n)))))
            await asyncio.sleep(0.01)
        with pytest.raises(Overloaded):
            await running.execute(pending("more"))
        go.set()
        await asyncio.gather(*answers)
