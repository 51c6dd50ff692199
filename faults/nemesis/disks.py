"""PostgreSQL on a separate small disk, which is temporarily full."""

import asyncio
import os
import subprocess
import tempfile
from pathlib import Path
from random import Random
from typing import Final

from deploy.local.errors import StackError
from faults.nemesis.schedule import random_intervals
from faults.system import SystemUnderTest

SIZE_MB: Final = 192


def unavailable_reason() -> str | None:
    """The reason why a small disk cannot be mounted, or None."""
    with tempfile.TemporaryDirectory() as directory:
        if reason := mount(Path(directory)):
            return f"cannot mount a tmpfs here: {reason}"
        unmount(Path(directory))
    return None


def mount(directory: Path) -> str | None:
    """Mount a tmpfs of SIZE_MB; returns the error, or None."""
    if os.geteuid() != 0:
        return "only root may mount"
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stderr.strip() if done.returncode else None


def unmount(directory: Path) -> None:
    subprocess.run(["umount", str(directory)], check=True)


async def fill(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """Fills the disk, frees it, and starts PostgreSQL if it has ended."""
    filler = system.postgres.data_dir.parent / "filler"
    async for _ in random_intervals(random, seconds, 0.5, 2):
        system.note("the disk is full")
        await asyncio.to_thread(_fill, filler)
        await asyncio.sleep(random.uniform(4, 12))
        filler.unlink()
        system.note("the disk has space")
        try:
            await system.start_server("postgres")
        except StackError:  # it was ending
            await system.start_server("postgres")


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
