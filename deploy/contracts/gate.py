"""What keeps a change from being committed: files that are stale, and contracts that it breaks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy.contracts.compatibility import breaks
from deploy.contracts.files import Files, published
from deploy.contracts.history import GOLDEN, past

ACCEPTED: Final = "deploy/contracts/accepted_breaks.txt"
HOW_TO_FIX: Final = f"""\
A published contract breaks (above). Keep the old shape and add the new one beside it: another \
field, another event type, another path. If nobody relies on it, say so: put the line into \
{ACCEPTED}, with the reason above it as a # comment."""
_STALE: Final = "The published contracts are stale ({paths}): run make contracts"


def violations(files: Files, root: Path) -> list[str]:
    """What is wrong with a tree whose code generates `files`; none where all is well."""
    broken = broken_contracts(files, root)
    if broken:
        return [*broken, HOW_TO_FIX]
    there = published(root)
    paths = [
        path for path in sorted(files.keys() | there.keys()) if there.get(path) != files.get(path)
    ]
    return [_STALE.format(paths=", ".join(paths))] if paths else []


def broken_contracts(files: Files, root: Path) -> list[str]:
    """One line for each break against the files in the tree, and each state ever committed."""
    accepted = _accepted(root)
    found: dict[str, str] = dict.fromkeys(breaks(published(root), files), "")
    for commit, old in past(root):
        for line in (*breaks(old, files), *_changed_records(old, root)):
            found.setdefault(line, f" (published in {commit})")
    return [f"{line}{since}" for line, since in sorted(found.items()) if line not in accepted]


def _changed_records(old: Files, root: Path) -> Iterator[str]:
    """What was published once stays as it was, byte by byte."""
    for path, text in old.items():
        if path.startswith(GOLDEN) and path.endswith(".record"):
            now = root / path
            if not now.is_file() or now.read_bytes() != text.encode():
                yield f"whoever reads old events: {path} was changed or removed"


def _accepted(root: Path) -> set[str]:
    path = root / ACCEPTED
    lines = path.read_text().splitlines() if path.is_file() else []
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}
