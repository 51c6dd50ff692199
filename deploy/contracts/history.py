"""The contracts that were committed before, as far as this clone knows its past.

A tree without a past, such as an archive or a shallow clone, still has its committed files: what
the code generates is compared with those in any case.
"""

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from deploy.contracts.files import PLACES, Files

GOLDEN: Final = "tests/golden"


def past(root: Path) -> Iterator[tuple[str, Files]]:
    """(commit, published files and golden records) of each commit that touched them."""
    if not _is_clone(root):
        return
    seen: set[bytes] = set()
    for commit in _git(root, "log", "--format=%h", "--", *PLACES, GOLDEN).decode().split():
        listing = _git(root, "ls-tree", "-r", "-z", commit, "--", *PLACES, GOLDEN)
        if listing not in seen:
            seen.add(listing)
            yield commit, dict(_files(root, listing))


def _files(root: Path, listing: bytes) -> Iterator[tuple[str, str]]:
    for line in listing.split(b"\0")[:-1]:
        about, _, path = line.partition(b"\t")
        yield path.decode(), _blob(root, about.split()[2].decode())


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
