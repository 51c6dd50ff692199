"""An event loop in virtual time whose order of callbacks is drawn from a seed, and its processes.

The time advances only while no callback is ready. Tasks belong to processes, which can be paused
and killed at any await; servers run in none.
"""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from heapq import heappop, heappush
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")
Callback = Callable[..., object]
_PROCESS: "ContextVar[Process | None]" = ContextVar("process", default=None)


class _Task(asyncio.Task[Any]):
    """Hashed by number: in a set, tasks hashed by address come in another order in each run."""

    def __init__(self, number: int, coroutine: Any, **options: Any) -> None:
        self._number = number
        super().__init__(coroutine, **options)

    def __hash__(self) -> int:
        return self._number


class _Future(asyncio.Future[Any]):
    """As `_Task`."""

    def __init__(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self._number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number


class SimulatedLoop(asyncio.BaseEventLoop):
    """Any ready callback may be the next one, as if each was caused by another machine."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._numbers = itertools.count(1)
        self._ready: list[asyncio.Handle] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._timer_count = 0
        self._now = 0.0
        self._draw = Random(seed).random
        self.steps = 0
        self.processes: list[Process] = []
        self.set_exception_handler(lambda _loop, _context: None)  # logs errors of lost tasks

    def create_task(  # type: ignore[override]
        self, coro: Any, *, name: str | None = None, context: Any = None
    ) -> asyncio.Task[Any]:
        return _Task(next(self._numbers), coro, loop=self, name=name, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return _Future(next(self._numbers), self)

    def time(self) -> float:
        return self._now

    def now_ms(self) -> int:
        return int(self._now * 1000)

    def resume(self, handles: list[asyncio.Handle]) -> None:
        self._ready.extend(handles)

    def call_soon(  # type: ignore[override]
        self, callback: Callback, *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._timer_count += 1
        heappush(self._timers, (when, self._timer_count, handle))
        return handle

    def _run_once(self) -> None:
        """Called by BaseEventLoop until the loop is stopped."""
        ready, timers = self._ready, self._timers
        while not self._stopping:  # type: ignore[attr-defined]
            if not (ready or timers):
                raise RuntimeError("every task waits, and no timer is set")
            if not ready:
                self._now = max(self._now, timers[0][0])
            while timers and timers[0][0] <= self._now:
                ready.append(heappop(timers)[2])
            handle: Any = ready.pop(int(self._draw() * len(ready)) if len(ready) > 1 else 0)
            if handle._cancelled:
                continue
            process = handle._context.get(_PROCESS)
            if process is None or process.admit(handle):
                self.steps += 1
                handle._context.run(handle._callback, *handle._args)

    def _write_to_self(self) -> None:
        """For callbacks of other threads, of which there are none."""

    def _asyncgen_finalizer_hook(self, _generator: object) -> None:
        """Its moment depends on the garbage collector; it must not affect the schedule."""

    def end(self) -> None:
        """Cancel all tasks, also those of killed processes, and close the loop."""
        for process in self.processes:
            process.revive_for_cleanup()
        while tasks := asyncio.all_tasks(self):
            for task in tasks:
                task.cancel()
            self.run_until_complete(asyncio.wait(tasks, timeout=1))
        self.close()


class Process:
    """A task and the tasks that it starts. A killed process does not run any cleanup."""

    def __init__(self, loop: SimulatedLoop, main: Coroutine[Any, Any, None]) -> None:
        self._loop = loop
        loop.processes.append(self)
        self.alive, self.paused = True, False
        self._held: list[asyncio.Handle] = []
        self._context = copy_context()
        self._context.run(_PROCESS.set, self)
        self.killed: asyncio.Future[None] = loop.create_future()
        self.start(main)

    def start(self, task: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        return self._loop.create_task(task, context=self._context)

    def admit(self, handle: asyncio.Handle) -> bool:
        """Whether the callback may run now. Those of a paused process are held until it resumes."""
        if self.alive and not self.paused:
            return True
        self._held.append(handle)
        return False

    def kill(self) -> None:
        self.alive = False
        self.killed.set_result(None)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        self._release()

    def revive_for_cleanup(self) -> None:
        """Only for the end of a schedule: the tasks can then be cancelled."""
        self.alive, self.paused = True, False
        self._release()

    def _release(self) -> None:
        held, self._held = self._held, []
        self._loop.resume(held)
