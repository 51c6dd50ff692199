"""The version before this one, as git has it, to run its services beside today's."""

import io
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Final

from deploy.local.home import ROOT

# Any commit; else the last release before this commit, else the commit before this one.
SETTING: Final = "UPGRADE_FROM"


def missing() -> str | None:
    """Why there is no version before this one to be had, or None."""
    if commit_before(ROOT):
        return None
    return "git has no commit before this one here, as in a shallow clone"


def check_out(directory: Path) -> Path:
    """A directory with the tree of that version."""
    commit = commit_before(ROOT)
    assert commit is not None
    tree = directory / "previous"
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(tree, filter="data")
    return tree


def commit_before(root: Path) -> str | None:
    """What git knows it by; None where there is none, or no git."""
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
