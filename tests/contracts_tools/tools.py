"""Runs others' tools as their users do: as programs, in processes of their own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent


def require(tool: str) -> str:
    """The program's path. Without it a test is skipped on a person's machine, and fails in CI."""
    path = shutil.which(tool)
    if path is None:
        told = f"{tool} is not installed: what it would check is left out"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    return path


def run(
    *command: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    seconds: int = 120,
) -> str:
    """What the program prints. Fails the test, with all of it, unless it exits with 0."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, "PATH": path, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    if done.returncode != 0:
        pytest.fail(f"{command[0]} failed:\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}")
    return done.stdout
