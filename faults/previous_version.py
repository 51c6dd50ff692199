"""The previous version from Git, to run its services beside those of this version."""

import io
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Final

from deploy.local.home import ROOT

# Any commit; default: the last release before this commit, else the commit before this one.
SETTING: Final = "UPGRADE_FROM"


def unavailable_reason() -> str | None:
    """The reason why there is no previous version, or None."""
    if previous_commit(ROOT):
        return None
    return "Git has no commit before this one, as in a shallow clone"


def check_out(directory: Path) -> Path:
    """Extract the tree of the previous version into a directory, and return it."""
    commit = previous_commit(ROOT)
    assert commit is not None
    tree = directory / "previous"
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(tree, filter="data")
    return tree


def previous_commit(root: Path) -> str | None:
    """The hash or tag of the previous version; None if there is none, or no Git."""
    if chosen := os.environ.get(SETTING):
        return _git(root, "rev-parse", "--verify", "--quiet", f"{chosen}^{{commit}}")
    before = _git(root, "rev-parse", "--verify", "--quiet", "HEAD~1^{commit}")
    released = before and _git(root, "describe", "--tags", "--abbrev=0", before)
    return released or before


def _git(root: Path, *command: str) -> str | None:
    try:
        done = subprocess.run(["git", *command], cwd=root, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
