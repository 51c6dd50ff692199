"""The progress of long commands: a bar per shard on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from projector.commands.output import Output

_LINE_INTERVAL_S: Final = 5.0

Report = Callable[[int, int], None]
"""(done, total) -> reports it."""


class ProgressReport:
    """Bars if standard error is a terminal, otherwise a line every few seconds."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._bars: Progress | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        if not sys.stderr.isatty():
            yield
            return
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f}  {task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        ) as bars:
            self._bars = bars
            yield
        self._bars = None

    def of(self, shard: str, state: str) -> Report:
        """Reports for one shard, such as `building`."""
        started = time.monotonic()
        first: int | None = None
        last_line = started
        task: TaskID | None = None
        if self._bars is not None:
            task = self._bars.add_task(f"{shard}  {state}", total=None, rate="")

        def report(done: int, total: int) -> None:
            nonlocal first, last_line
            first = done if first is None else first
            now = time.monotonic()
            rate = (done - first) / max(now - started, 0.001)
            if self._bars is not None and task is not None:
                self._bars.update(task, completed=done, total=total, rate=f"{rate:,.0f}/s")
                if done >= total:
                    self._bars.remove_task(task)
            elif now - last_line > _LINE_INTERVAL_S:
                last_line = now
                remaining = (total - done) / rate if rate else 0.0
                self._output.line(
                    f"{shard}  {state}  {done:,} of {total:,}, {rate:,.0f}/s, "
                    f"{remaining:,.0f} s remaining",
                    shard=shard,
                    state=state,
                    done=done,
                    total=total,
                    per_second=round(rate),
                    remaining_s=round(remaining),
                )

        return report
