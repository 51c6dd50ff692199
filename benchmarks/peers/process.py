"""Starts a peer service as a separate process, and waits until it accepts connections."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.ports import HOST, free_ports
from deploy.local.servers.parent_death_signal import with_parent_death_signal
from tests.support.waiting import until


@dataclass(frozen=True, slots=True)
class Peer:
    pid: int
    port: int


@asynccontextmanager
async def peer(module: str, log: Path, environment: Mapping[str, str]) -> AsyncIterator[Peer]:
    """Runs `benchmarks.peers.<module>` with the environment, and PORT in addition."""
    port = free_ports(1)[0]
    command = [sys.executable, "-m", f"benchmarks.peers.{module}"]
    process = _start(command, {**os.environ, **environment, "PORT": str(port)}, log)

    async def listens() -> bool:
        assert process.poll() is None, f"{module} ended: {_log_tail(log)}"
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await until(listens, f"{module} listens")
        yield Peer(process.pid, port)
    finally:
        process.kill()
        process.wait(10)


def _start(
    command: list[str], environment: Mapping[str, str], log: Path
) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        return subprocess.Popen(
            with_parent_death_signal(command, signal.SIGKILL),
            env=environment,
            stdout=output,
            stderr=output,
        )


def _log_tail(log: Path) -> str:
    return log.read_text()[-2000:]
