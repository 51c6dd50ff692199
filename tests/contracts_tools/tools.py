"""Runs third-party tools as separate processes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent


def require_tool(tool: str) -> str:
    """The path of a program. If it is missing, the test is skipped, in CI it fails."""
    path = shutil.which(tool)
    if path is None:
        message = f"{tool} is not installed; its checks are skipped"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


def run(
    *command: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: int = 120,
) -> str:
    """The standard output. Fails the test, with the output, unless the exit status is 0."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, "PATH": path, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    if done.returncode != 0:
        pytest.fail(f"{command[0]} failed:\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}")
    return done.stdout
