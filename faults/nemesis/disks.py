"""PostgreSQL on a small disk of its own, which is full for a while."""

import asyncio
import os
import subprocess
import tempfile
from pathlib import Path
from random import Random
from typing import Final

from deploy.local.errors import StackError
from faults.nemesis.times import moments
from faults.world import World

SIZE_MB: Final = 192


def missing() -> str | None:
    """Why no small disk can be had here, or None."""
    with tempfile.TemporaryDirectory() as directory:
        if reason := mount(Path(directory)):
            return f"cannot mount a tmpfs here: {reason}"
        unmount(Path(directory))
    return None


def mount(directory: Path) -> str | None:
    """A tmpfs of SIZE_MB; the reason where that is not allowed."""
    if os.geteuid() != 0:
        return "only root may mount"
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stderr.strip() if done.returncode else None


def unmount(directory: Path) -> None:
    subprocess.run(["umount", str(directory)], check=True)


async def fill(world: World, random: Random, seconds: float) -> None:
    """No byte is left; then there is room again, and PostgreSQL is started if it had given up."""
    filler = world.postgres.data_dir.parent / "filler"
    async for _ in moments(random, seconds, 0.5, 2):
        world.note("the disk is full")
        await asyncio.to_thread(_write_all_there_is, filler)
        await asyncio.sleep(random.uniform(4, 12))
        filler.unlink()
        world.note("the disk has room")
        try:
            await world.start_server("postgres")
        except StackError:  # it was just giving up
            await world.start_server("postgres")


def _write_all_there_is(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
