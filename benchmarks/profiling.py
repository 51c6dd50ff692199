"""Samples a running process and says which of its functions have the most time of their own."""

import asyncio
import re
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import Final

from benchmarks.figures import Profile

_PER_SECOND: Final = 200
_SHOWN: Final = 10
_PY_SPY: Final = Path(sysconfig.get_path("scripts")) / "py-spy"
_FRAME: Final = re.compile(r"^(?P<function>.+) \((?P<file>.+?)(:\d+)?\)$")
# A pool's thread without work: a loaded machine makes it look busy.
_WAITING: Final = re.compile(r"_worker \(concurrent/futures/thread\.py[:\d]*\)$")


async def profile(pid: int, process: str, during: str, work: Awaitable[object]) -> Profile | None:
    """Samples the process while the work is done; None where the system does not allow it.

    Sampling slows the process down: nothing that is timed goes on meanwhile.
    """
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "stacks"
        sampler = await asyncio.create_subprocess_exec(
            str(_PY_SPY), "record", "--pid", str(pid), "--rate", str(_PER_SECOND),
            "--format", "raw", "--output", str(output), "--duration", "600",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await work
        if sampler.returncode is None:
            sampler.send_signal(2)  # it writes what it has
        await sampler.wait()
        if not output.exists():
            return None
        return Profile(process, during, top_functions(output.read_text()))


def top_functions(stacks: str) -> list[tuple[float, str]]:
    """Shares of self time by function, largest first, from collapsed stacks."""
    own: Counter[str] = Counter()
    for line in stacks.splitlines():
        frames, _, count = line.rpartition(" ")
        if not _WAITING.search(frames):
            own[_name(frames.split(";")[-1])] += int(count)
    total = sum(own.values())
    return [(count / total, name) for name, count in own.most_common(_SHOWN)]


def _name(frame: str) -> str:
    match = _FRAME.match(frame)
    if match is None:
        return frame
    file = re.sub(r"^.*(site-packages|lib/python[\d.]+|Lib)/", "", match["file"])
    return f"{match['function']} ({file})"
