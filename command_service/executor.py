"""Forms batches of the queued commands, runs them, and sets the result of each command.

While one batch runs, newly arrived commands form the next, so batch size adapts to load and a
single command is never delayed.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import chain
from typing import Final

import structlog

from command_service.exceptions import (
    CommitOutcomeUnknown,
    LockTimeout,
    Overloaded,
    TransientFailure,
    Unavailable,
)
from command_service.metrics import Metrics
from command_service.write_store.batch import Blocked, Defect, Outcome, Postponed
from command_service.write_store.pending_command import PendingCommand
from command_service.write_store.results import Result

RunBatch = Callable[[Sequence[PendingCommand], bool], Awaitable[list[Outcome]]]
"""(commands, whether to skip locked rows instead of waiting for them) -> their outcomes"""

_MIN_PAUSE_S: Final = 0.02
_MAX_PAUSE_S: Final = 0.5
_DEADLINE_CHECK_S: Final = 0.1
_SKIP_LOCKED_S: Final = 1.0
logger = structlog.get_logger(__name__)


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
        self._max_concurrent_batches = max_concurrent_batches
        self._max_batch_size = max_batch_size
        self._max_queue_depth = max_queue_depth
        self._queue: deque[PendingCommand] = deque()
        self._running: list[Sequence[PendingCommand]] = []
        self._skip_locked_until = 0.0
        self._arrived = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._metrics.queue_depth.set_function(lambda: len(self._queue))
        self._tasks = [
            asyncio.create_task(self._run_batches()) for _ in range(self._max_concurrent_batches)
        ]
        self._tasks.append(asyncio.create_task(self._check_deadlines()))

    async def stop(self) -> None:
        """Cancel the running batches. The commands without a result fail with Unavailable."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        _fail(self._queue, Unavailable("the service is stopping"))

    async def execute(self, pending: PendingCommand) -> Result:
        """Return the command's result. Raises Overloaded, Unavailable or the error of a Defect.

        Cancelling the call does not cancel the command, which may already be committed.
        """
        if len(self._queue) >= self._max_queue_depth:
            raise Overloaded
        self._queue.append(pending)
        self._arrived.set()
        return await pending.result

    async def _run_batches(self) -> None:
        while True:
            batch = await self._next_batch()
            self._running.append(batch)
            try:
                await self._execute_batch(batch)
            except BaseException as error:
                _fail(batch, Unavailable("the service is stopping"))
                if not isinstance(error, Exception):
                    raise
                logger.exception("executor_failed")
            finally:
                self._running.remove(batch)

    async def _check_deadlines(self) -> None:
        """One task for all commands: a timer for each would cost more than the command."""
        while True:
            await asyncio.sleep(_DEADLINE_CHECK_S)
            _drop_expired([*self._queue, *chain.from_iterable(self._running)])

    async def _next_batch(self) -> list[PendingCommand]:
        while not self._queue:
            self._arrived.clear()
            await self._arrived.wait()
        size = min(len(self._queue), self._max_batch_size)
        return [self._queue.popleft() for _ in range(size)]

    async def _execute_batch(self, batch: Sequence[PendingCommand]) -> None:
        """Retry transient failures; else bisect the batch until the failing command is isolated.

        After a lock timeout, batches skip locked rows for as long as commands need them: only those
        commands wait.
        """
        pause_s = _MIN_PAUSE_S
        while batch := _drop_expired(batch):
            skip_locked = self._time() < self._skip_locked_until
            try:
                outcomes = await self._run_batch(batch, skip_locked)
            except TransientFailure as error:
                self._metrics.batches_retried.inc()
                logger.warning("batch_retried", error=str(error), commands=len(batch))
                if isinstance(error, LockTimeout):
                    self._skip_locked_until = self._time() + _SKIP_LOCKED_S
                    if not skip_locked:
                        continue
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _MAX_PAUSE_S)
            except CommitOutcomeUnknown:
                return _fail(batch, Unavailable("it is unknown whether the command was committed"))
            except Exception as error:
                logger.error("batch_failed", error=type(error).__name__, commands=len(batch))
                if len(batch) == 1:
                    return _fail(batch, error)
                await self._execute_batch(batch[: len(batch) // 2])
                return await self._execute_batch(batch[len(batch) // 2 :])
            else:
                self._metrics.batch_size.observe(len(batch))
                self._set_results(batch, outcomes)
                if any(isinstance(outcome, Blocked) for outcome in outcomes):
                    self._skip_locked_until = self._time() + _SKIP_LOCKED_S
                if all(isinstance(outcome, Postponed) for outcome in outcomes):
                    await asyncio.sleep(_MIN_PAUSE_S)
                return None
        return None

    def _time(self) -> float:
        return asyncio.get_running_loop().time()

    def _set_results(self, batch: Sequence[PendingCommand], outcomes: Sequence[Outcome]) -> None:
        for pending, outcome in zip(batch, outcomes, strict=True):
            match outcome:
                case Postponed():
                    self._queue.append(pending)
                    self._arrived.set()
                case Defect():
                    _fail([pending], outcome.error)
                case _ if not pending.result.done():
                    pending.result.set_result(outcome)


def _drop_expired(batch: Sequence[PendingCommand]) -> Sequence[PendingCommand]:
    """Fail the commands whose deadline has passed, and return the others."""
    now = asyncio.get_running_loop().time()
    expired = [pending for pending in batch if pending.deadline <= now]
    _fail(expired, Unavailable("the command was not decided in time"))
    return [pending for pending in batch if pending.deadline > now]


def _fail(commands: Iterable[PendingCommand], error: Exception) -> None:
    for pending in commands:
        if not pending.result.done():
            pending.result.set_exception(error)
            pending.result.exception()
