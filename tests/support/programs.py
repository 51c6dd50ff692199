"""Programs that tests need and Debian has packages of."""

import os
import shutil
import subprocess
from typing import Final

from tests.contracts_tools.tools import require_tool

_SBIN: Final = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"


def find_program(name: str, package: str) -> str:
    """The program's path. As root on Debian it is installed first; else see `require_tool`."""
    found = shutil.which(name, path=_SBIN)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get") is not None:
        _install(package)
        found = shutil.which(name, path=_SBIN)
    return found or require_tool(name)


def _install(package: str) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    options = ["-qq", "-o", "DPkg::Lock::Timeout=120"]
    for command in (["update"], ["install", "-y", "--no-install-recommends", package]):
        subprocess.run(
            ["apt-get", *options, *command], env=env, check=False, capture_output=True, timeout=300
        )
