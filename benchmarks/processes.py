"""CPU time and memory of a process and its children, ended ones included."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import psutil


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads and children, ended or not; 0 if it has ended."""
    total = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for member in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += sum(member.cpu_times()[:4])
    return total


def resident_bytes(pid: int) -> int:
    """PSS if the operating system reports it, else USS, of the process and its children."""
    process = psutil.Process(pid)
    total = 0
    for member in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            memory = member.memory_full_info()
            total += getattr(memory, "pss", memory.uss)
    return total


@dataclass
class Cpu:
    """CPU seconds spent inside a `measured` block."""

    seconds: float = 0.0


@contextlib.contextmanager
def measured(*pids: int) -> Iterator[Cpu]:
    """The CPU time of these processes while the block runs."""
    cpu = Cpu()
    before = sum(map(cpu_seconds, pids))
    yield cpu
    cpu.seconds = sum(map(cpu_seconds, pids)) - before
