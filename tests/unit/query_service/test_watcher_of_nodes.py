"""A Redis node that does not reply delays only the reads that need it."""

import asyncio
from collections.abc import Sequence

import pytest

from query_service.positions import Positions
from query_service.watcher import Watcher
from shared.contracts.views import Checkpoint
from shared.http.problems import Problem
from shared.request_coalescer import RequestCoalescer

HUNG, HEALTHY = "orders.1", "orders.2"


class Nodes:
    """Two nodes, one of which raises after `reply_timeout_s`."""

    def __init__(self, reply_timeout_s: float = 60) -> None:
        self.position = 1
        self.reply_timeout_s = reply_timeout_s

    async def group(self, shards: Sequence[str]) -> list[list[str]]:
        return [[shard] for shard in shards]

    async def fetch(self, keys: Sequence[str]) -> list[bytes | None]:
        if HUNG in keys[0]:
            await asyncio.sleep(self.reply_timeout_s)
            raise ConnectionError
        stored = Checkpoint(self.position, 0, "e").encode()
        return [stored, *([None] * (len(keys) - 1))]


async def watched(nodes: Nodes) -> tuple[Watcher, "asyncio.Task[None]", list[float]]:
    beats: list[float] = []
    watcher = Watcher(
        nodes.fetch,
        [HUNG, HEALTHY],
        Positions(),
        max_waiting_reads=10,
        beat=lambda: beats.append(asyncio.get_running_loop().time()),
        group_by_node=nodes.group,
    )
    task = asyncio.create_task(watcher.run())
    await asyncio.sleep(0.1)
    return watcher, task, beats


async def test_a_read_of_another_node_is_woken_at_once() -> None:
    nodes = Nodes()
    watcher, task, beats = await watched(nodes)
    loop = asyncio.get_running_loop()
    assert watcher.not_ready() is None
    waiting = asyncio.create_task(watcher.wait_for({HEALTHY: 2}, loop.time() + 5))
    await asyncio.sleep(0.1)
    nodes.position = 2
    started = loop.time()
    await waiting
    assert loop.time() - started < 0.25
    await asyncio.sleep(0.6)
    assert len(beats) >= 2
    task.cancel()


async def test_a_read_of_the_node_that_does_not_reply_is_woken_by_the_failure() -> None:
    watcher, task, _ = await watched(Nodes(reply_timeout_s=0.5))
    deadline = asyncio.get_running_loop().time() + 30
    async with asyncio.timeout(2):
        await watcher.wait_for({HUNG: 2}, deadline)
    with pytest.raises(Problem):
        await watcher.wait_for({HEALTHY: 2}, asyncio.get_running_loop().time() + 0.2)
    task.cancel()


async def test_requests_that_are_queued_for_a_server_that_does_not_reply_fail_together() -> None:
    batches = 0

    async def send(_batch: list[int]) -> list[int]:
        nonlocal batches
        batches += 1
        await asyncio.sleep(0.1)
        raise ConnectionError

    coalescer = RequestCoalescer(send, max_batch_size=1, fails_queue=lambda _: True)
    results = [coalescer.submit(number) for number in range(100)]
    outcomes = await asyncio.gather(*results, return_exceptions=True)
    assert all(isinstance(outcome, ConnectionError) for outcome in outcomes)
    assert batches == 1
