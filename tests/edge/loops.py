"""Runs a test on both event loops: asyncio's own, and uvloop, which the services use."""

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Final

import pytest
import uvloop

Test = Callable[..., Coroutine[Any, Any, None]]

_LOOPS: Final[dict[str, Callable[[], asyncio.AbstractEventLoop]]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def on_both_loops(test: Test) -> Callable[..., None]:
    """A synchronous test, once for each loop."""

    @functools.wraps(test)
    def run(loop: str, **arguments: Any) -> None:
        with asyncio.Runner(loop_factory=_LOOPS[loop]) as runner:
            runner.run(test(**arguments))

    del run.__wrapped__
    parameters = inspect.signature(test).parameters.values()
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    loop = inspect.Parameter("loop", kind, annotation=str)
    run.__signature__ = inspect.Signature([loop, *parameters])  # type: ignore[attr-defined]
    both: Callable[..., None] = pytest.mark.parametrize("loop", list(_LOOPS))(run)
    return both
