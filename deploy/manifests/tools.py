"""The programs that render and lint manifests, built once from pinned Go modules.

They are stored in Tandem's cache outside the clone. Go verifies the modules with its checksum
database; an interrupted build leaves no program.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.local.errors import StackError
from deploy.local.servers.jars import cache_dir, exclusive

PROGRAMS: Final[Mapping[str, str]] = {
    "kustomize": "sigs.k8s.io/kustomize/kustomize/v5@v5.8.1",
    "kube-score": "github.com/zegl/kube-score/cmd/kube-score@v1.20.0",
}
_TIMEOUT_S: Final = 900


def program(name: str) -> Path:
    """The path of one of PROGRAMS. Raises StackError if it cannot be built."""
    package = PROGRAMS[name]
    directory = _directory() / name
    directory.mkdir(exist_ok=True)
    path = directory / f"{name}-{package.rpartition('@')[2]}"
    if not path.exists():
        with exclusive(directory):
            if not path.exists():
                _build(name, package, path)
    return path


def module(name: str) -> Path:
    """The directory of a Go module, `path@version`, read-only. Raises StackError."""
    described = _go("mod", "download", "-json", name)
    return Path(json.loads(described)["Dir"])


def _build(name: str, package: str, path: Path) -> None:
    print(
        f"tandem: building {package}; this happens once and takes a minute or more",
        file=sys.stderr,
        flush=True,
    )
    with tempfile.TemporaryDirectory(dir=path.parent) as work:
        _go("install", package, GOBIN=work)
        (Path(work) / name).rename(path)


def _go(*arguments: str, **extra_environment: str) -> str:
    go = shutil.which("go")
    if go is None:
        raise StackError("go is missing; install Go 1.26, which builds the tools for manifests")
    environment = {
        "GOMODCACHE": str(_directory() / "modules"),
        "GOFLAGS": "-mod=mod -modcacherw",
        "GOTOOLCHAIN": "local",
    }
    done = subprocess.run(
        [go, *arguments],
        cwd=_directory(),
        env=os.environ | environment | extra_environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
    )
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise StackError(f"go {' '.join(arguments)}: {lines[-1] if lines else 'failed'}")
    return done.stdout


def _directory() -> Path:
    directory = cache_dir() / "go"
    directory.mkdir(parents=True, exist_ok=True)
    return directory
