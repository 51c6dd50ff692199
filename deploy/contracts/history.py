"""Reads the contracts of earlier commits.

In a tree without history, such as an archive or a shallow clone, the generated files are compared
with the committed ones only.
"""

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from deploy.contracts.files import FOLDERS, Files

GOLDEN: Final = "tests/golden"


def committed_versions(root: Path) -> Iterator[tuple[str, Files]]:
    """(commit, published files and golden records) of each commit that changed them."""
    if not _is_clone(root):
        return
    seen: set[bytes] = set()
    for commit in _git(root, "log", "--format=%h", "--", *FOLDERS, GOLDEN).decode().split():
        listing = _git(root, "ls-tree", "-r", "-z", commit, "--", *FOLDERS, GOLDEN)
        if listing not in seen:
            seen.add(listing)
            yield commit, dict(_files(root, listing))


def _files(root: Path, listing: bytes) -> Iterator[tuple[str, str]]:
    for line in listing.split(b"\0")[:-1]:
        entry, _, path = line.partition(b"\t")
        yield path.decode(), _blob(root, entry.split()[2].decode())


def _is_clone(root: Path) -> bool:
    try:
        top = _git(root, "rev-parse", "--show-toplevel")
    except (OSError, subprocess.CalledProcessError):
        return False
    return Path(top.decode().rstrip("\n")).resolve() == root.resolve()


@cache
def _blob(root: Path, id: str) -> str:
    return _git(root, "cat-file", "blob", id).decode()


def _git(root: Path, *arguments: str) -> bytes:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout
