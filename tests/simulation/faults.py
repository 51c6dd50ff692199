"""Faults that are drawn from a seed, and a network that loses and delays requests and responses.

Each decision has a number, so that a schedule can be run again with a subset of its faults.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from contextvars import Context
from random import Random
from typing import Any, Final, NamedTuple, TypeVar

from tests.simulation.loop import SimulatedLoop

T = TypeVar("T")
_REQUEST_LOST: Final = "request lost"
_REQUEST_LATE: Final = "request late"
_RESPONSE_LOST: Final = "response lost"
_FAULTS: Final = (_REQUEST_LOST, _REQUEST_LATE, _RESPONSE_LOST)


class Fault(NamedTuple):
    """A fault that happened: the number of the decision, the time and the kind."""

    number: int
    time_s: float
    kind: str


class Faults:
    """Decides which faults happen. `only`: the numbers of the decisions that may be positive."""

    def __init__(self, loop: SimulatedLoop, seed: int, only: Collection[int] | None) -> None:
        self._loop = loop
        self._random = Random(seed)
        self._only = only
        self._number = 0
        self.enabled = True
        self.happened: list[Fault] = []

    def happens(self, kind: str, probability: float) -> bool:
        self._number += 1
        drawn = self._random.random() < probability
        if not (drawn and self.enabled) or (
            self._only is not None and self._number not in self._only
        ):
            return False
        self.happened.append(Fault(self._number, self._loop.time(), kind))
        return True


class Network:
    """Carries requests to a server. The effect of a request outlives the process that sent it.

    `disturb` is called at the arrival of each request, and may change the servers.
    """

    def __init__(
        self,
        loop: SimulatedLoop,
        faults: Faults,
        seed: int,
        disturb: Callable[[], None] = lambda: None,
        p_slow: float = 0.05,
    ) -> None:
        """`p_slow`: the part of the requests that take up to a second instead of 10 ms."""
        self._loop, self._faults, self._disturb = loop, faults, disturb
        self._p_slow = p_slow
        self._draw = Random(seed).random
        self._servers = Context()
        self.late_requests = 0
        self.closed = False

    def send(
        self, name: str, effect: Callable[[], Any], error: Exception, p_fault: float
    ) -> "asyncio.Future[T]":
        """The future response. `effect` may return a coroutine, such as one that waits for a lock.

        With a fault, `error` is raised; the effect happens before the response, later, or never.
        """
        reply: asyncio.Future[T] = self._loop.create_future()
        if self.closed:
            reply.set_exception(ConnectionError("the schedule has ended"))
            return reply
        fault = ""
        if p_fault:
            fault = _FAULTS[int(len(_FAULTS) * self._draw())]
            if not self._faults.happens(f"{name}: {fault}", p_fault):
                fault = ""
        delay = self._delay()
        if fault == _REQUEST_LOST:
            self._later(delay, _settle, reply, None, error)
        elif fault == _REQUEST_LATE:
            self.late_requests += 1
            self._later(delay, _settle, reply, None, error)
            self._later(delay + 6 * self._draw(), self._arrive_late, reply, effect)
        else:
            failure = error if fault == _RESPONSE_LOST else None
            self._later(delay, self._arrive, reply, effect, failure)
        return reply

    def _arrive(
        self, reply: "asyncio.Future[T]", effect: Callable[[], T], failure: Exception | None
    ) -> None:
        self._disturb()
        try:
            result = effect()
        except Exception as error:
            _settle(reply, None, failure or error)
            return
        if asyncio.iscoroutine(result):
            waiting = self._wait(reply, result, failure)
            self._loop.create_task(waiting, context=self._servers)
            return
        if self._draw() < 0.9:
            _settle(reply, result, failure)
        else:
            self._later(self._delay(), _settle, reply, result, failure)

    async def _wait(
        self, reply: "asyncio.Future[T]", effect: Coroutine[Any, Any, T], failure: Exception | None
    ) -> None:
        try:
            _settle(reply, await effect, failure)
        except Exception as error:
            _settle(reply, None, failure or error)

    def _arrive_late(self, reply: "asyncio.Future[T]", effect: Callable[[], T]) -> None:
        self.late_requests -= 1
        self._arrive(reply, effect, None)

    def later(self, effect: Callable[[], None]) -> None:
        """An effect in a server that no process waits for."""
        self._later(3 * self._draw(), effect)

    def _delay(self) -> float:
        slow = self._draw() < self._p_slow
        return self._draw() if slow else 0.001 + 0.009 * self._draw()

    def _later(self, delay_s: float, callback: Callable[..., None], *arguments: Any) -> None:
        self._loop.call_later(delay_s, callback, *arguments, context=self._servers)


class Remote:
    """A fake server in memory: its methods, called through the network."""

    def __init__(self, name: str, fake: object, network: Network, p_fault: float) -> None:
        self._name, self._fake, self._network, self._p_fault = name, fake, network, p_fault

    def __getattr__(self, method: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def call(*arguments: Any) -> Any:
            def effect() -> Any:
                return complete(getattr(self._fake, method)(*arguments))

            error = ConnectionError(f"simulated: {self._name}.{method}")
            name = f"{self._name}.{method}"
            return await self._network.send(name, effect, error, self._p_fault)

        return call


def complete(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a fake's method, which awaits nothing but its turn."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result


def _settle(reply: "asyncio.Future[Any]", result: object, failure: Exception | None) -> None:
    if reply.done():
        return
    if failure is None:
        reply.set_result(result)
    else:
        reply.set_exception(failure)
        reply.exception()  # the process that sent the request may be gone
