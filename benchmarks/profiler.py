"""Samples a running process, and lists the functions with the highest self time."""

import asyncio
import re
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import Final

from benchmarks.results import Profile

_SAMPLES_PER_SECOND: Final = 200
_MAX_FUNCTIONS: Final = 10
_PY_SPY: Final = Path(sysconfig.get_path("scripts")) / "py-spy"
_FRAME: Final = re.compile(r"^(?P<function>.+) \((?P<file>.+?)(:\d+)?\)$")
# An idle thread of a pool: on a loaded machine py-spy counts it as busy.
_IDLE: Final = re.compile(r"_worker \(concurrent/futures/thread\.py[:\d]*\)$")


async def profile(pid: int, process: str, during: str, work: Awaitable[object]) -> Profile | None:
    """Samples the process during the work; None if the operating system does not permit it.

    Sampling slows the process down, so do not measure time at the same time.
    """
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "stacks"
        sampler = await asyncio.create_subprocess_exec(
            str(_PY_SPY), "record", "--pid", str(pid), "--rate", str(_SAMPLES_PER_SECOND),
            "--format", "raw", "--output", str(output), "--duration", "600",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await work
        if sampler.returncode is None:
            sampler.send_signal(2)  # it writes its samples
        await sampler.wait()
        if not output.exists():
            return None
        return Profile(process, during, top_functions(output.read_text()))


def top_functions(stacks: str) -> list[tuple[float, str]]:
    """Shares of self time by function, largest first, from collapsed stacks."""
    self_time: Counter[str] = Counter()
    for line in stacks.splitlines():
        frames, _, count = line.rpartition(" ")
        if not _IDLE.search(frames):
            self_time[_name(frames.split(";")[-1])] += int(count)
    total = sum(self_time.values())
    return [(count / total, name) for name, count in self_time.most_common(_MAX_FUNCTIONS)]


def _name(frame: str) -> str:
    match = _FRAME.match(frame)
    if match is None:
        return frame
    file = re.sub(r"^.*(site-packages|lib/python[\d.]+|Lib)/", "", match["file"])
    return f"{match['function']} ({file})"
