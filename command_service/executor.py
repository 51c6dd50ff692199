"""Gathers the commands that wait into batches, and sees that each gets its answer.

While a batch runs the next one gathers: batches grow with load, and a lone command waits for
nobody.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from command_service.metrics import Metrics
from command_service.write_store.batch import Defect, Outcome, Postponed
from command_service.write_store.pending_command import PendingCommand
from command_service.write_store.results import Answer
from command_service.write_store.transactions import TransientFailure, Unknown

RunBatch = Callable[[Sequence[PendingCommand]], Awaitable[list[Outcome]]]
_SHORTEST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 0.5
_WATCH_S: Final = 0.1
logger = structlog.get_logger(__name__)


class Overloaded(Exception):
    """So many commands wait that another one would not be decided in time."""


class Unavailable(Exception):
    """The command was not decided in time, or it is not known whether it was."""


class Executor:
    """Runs up to `max_concurrent_batches` batches at once, of up to `max_batch_size` commands."""

    def __init__(
        self,
        run_batch: RunBatch,
        metrics: Metrics,
        *,
        max_concurrent_batches: int,
        max_batch_size: int,
        max_queue_depth: int,
    ) -> None:
        self._run_batch = run_batch
        self._metrics = metrics
        self._max_batch_size = max_batch_size
        self._max_queue_depth = max_queue_depth
        self._waiting: deque[PendingCommand] = deque()
        self._running: set[PendingCommand] = set()
        self._arrived = asyncio.Event()
        self._max_concurrent_batches = max_concurrent_batches
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._metrics.waiting.set_function(lambda: len(self._waiting))
        self._tasks = [
            asyncio.create_task(self._lane()) for _ in range(self._max_concurrent_batches)
        ]
        self._tasks.append(asyncio.create_task(self._watch_deadlines()))

    async def stop(self) -> None:
        """Ends the max_concurrent_batches. What is still waiting is answered as unavailable."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        _fail(self._waiting, Unavailable("the service is stopping"))

    async def execute(self, pending: PendingCommand) -> Answer:
        """The command's answer. Raises Overloaded, Unavailable, or what its decision raised.

        A caller that goes away leaves the command where it is: it may have been committed.
        """
        if len(self._waiting) >= self._max_queue_depth:
            raise Overloaded
        self._waiting.append(pending)
        self._arrived.set()
        return await pending.answer

    async def _lane(self) -> None:
        while True:
            batch = await self._gather()
            self._running.update(batch)
            try:
                await self._settle(batch)
            except BaseException as error:
                _fail(batch, Unavailable("the service is stopping"))
                if not isinstance(error, Exception):
                    raise
                logger.exception("lane_failed")
            finally:
                self._running.difference_update(batch)

    async def _watch_deadlines(self) -> None:
        """One watch for all: a timer for each command would cost more than the command."""
        while True:
            await asyncio.sleep(_WATCH_S)
            _in_time([*self._waiting, *self._running])

    async def _gather(self) -> list[PendingCommand]:
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        most = min(len(self._waiting), self._max_batch_size)
        return [self._waiting.popleft() for _ in range(most)]

    async def _settle(self, batch: Sequence[PendingCommand]) -> None:
        """Tries again what passes by itself; else halves, until the bad command stands alone."""
        pause = _SHORTEST_PAUSE_S
        while batch := _in_time(batch):
            try:
                outcomes = await self._run_batch(batch)
            except TransientFailure as error:
                self._metrics.batches_retried.inc()
                logger.warning("batch_retried", error=str(error), commands=len(batch))
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            except Unknown:
                return _fail(batch, Unavailable("it is not known whether this was committed"))
            except Exception as error:
                logger.error("batch_failed", error=type(error).__name__, commands=len(batch))
                if len(batch) == 1:
                    return _fail(batch, error)
                await self._settle(batch[: len(batch) // 2])
                return await self._settle(batch[len(batch) // 2 :])
            else:
                self._metrics.batch_size.observe(len(batch))
                self._answer(batch, outcomes)
                if all(isinstance(outcome, Postponed) for outcome in outcomes):
                    await asyncio.sleep(_SHORTEST_PAUSE_S)
                return None
        return None

    def _answer(self, batch: Sequence[PendingCommand], outcomes: Sequence[Outcome]) -> None:
        for pending, outcome in zip(batch, outcomes, strict=True):
            match outcome:
                case Postponed():
                    self._waiting.append(pending)
                    self._arrived.set()
                case Defect():
                    _fail([pending], outcome.error)
                case _ if not pending.answer.done():
                    pending.answer.set_result(outcome)


def _in_time(batch: Sequence[PendingCommand]) -> Sequence[PendingCommand]:
    now = asyncio.get_running_loop().time()
    late = [pending for pending in batch if pending.deadline <= now]
    _fail(late, Unavailable("the command was not decided in time"))
    return [pending for pending in batch if pending.deadline > now]


def _fail(commands: "Sequence[PendingCommand] | deque[PendingCommand]", error: Exception) -> None:
    for pending in commands:
        if not pending.answer.done():
            pending.answer.set_exception(error)
            pending.answer.exception()
