"""How many reads may wait: in total, of one caller, and of all anonymous callers."""

import asyncio
from collections.abc import Sequence

import pytest

from query_service.positions import Positions
from query_service.watcher import Watcher
from shared.http.problems import Problem


async def fetch(keys: Sequence[str]) -> list[bytes | None]:
    return [None] * len(keys)


def watcher() -> Watcher:
    return Watcher(
        fetch,
        [],
        Positions(),
        max_waiting_reads=5,
        max_waiting_reads_per_caller=3,
        max_anonymous_waiting_reads=2,
        beat=lambda: None,
    )


class Waiting:
    """Reads that wait for a position that no shard reaches."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self, caller: str | None, count: int = 1) -> None:
        deadline = asyncio.get_running_loop().time() + 30
        for _ in range(count):
            waiting = self.watcher.waiting
            wait = self.watcher.wait_for({"users.1": 9}, deadline, caller)
            self.tasks.append(asyncio.create_task(wait))
            await asyncio.sleep(0)
            assert self.watcher.waiting == waiting + 1

    async def rejected(self, caller: str | None) -> str | None:
        deadline = asyncio.get_running_loop().time() + 30
        with pytest.raises(Problem) as caught:
            await self.watcher.wait_for({"users.1": 9}, deadline, caller)
        assert caught.value.status == 503
        return caught.value.reason

    async def cancel(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()


async def test_anonymous_reads_do_not_use_the_budget_of_callers() -> None:
    waiting = Waiting(watcher())
    await waiting.start(None, 2)
    assert await waiting.rejected(None) == "anonymous_waiting_reads"
    await waiting.start("ada", 3)
    assert await waiting.rejected("ada") == "waiting_reads"
    await waiting.cancel()


async def test_a_caller_has_a_budget() -> None:
    waiting = Waiting(watcher())
    await waiting.start("ada", 3)
    assert await waiting.rejected("ada") == "waiting_reads_per_caller"
    await waiting.start("bob", 2)
    assert await waiting.rejected("eve") == "waiting_reads"
    await waiting.cancel()


async def test_a_read_that_is_cancelled_leaves_its_place() -> None:
    waiting = Waiting(watcher())
    for caller in ("ada", None, "ada"):
        await waiting.start(caller, 2)
        await waiting.cancel()
        assert waiting.watcher.waiting == 0
    assert waiting.watcher._waiting_by_caller == {}
