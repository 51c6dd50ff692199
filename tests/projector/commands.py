"""Runs the commands of the projector."""

import asyncio
import os
import sys
from typing import Any

import orjson

from tests.projector.harness import ProjectorSystem


async def command(
    system: ProjectorSystem, *arguments: str, **environment: str
) -> tuple[int, list[dict[str, Any]], str]:
    """Status, JSON lines and standard error of `python -m projector ARGUMENTS --json`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "projector", *arguments, "--json"),
        env={**os.environ, **system.command_environment(), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, [orjson.loads(line) for line in output.splitlines()], errors.decode()
