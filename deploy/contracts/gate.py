"""Rejects a change if published files are stale or if it breaks a published contract."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy.contracts.compatibility import breaks
from deploy.contracts.files import Files, published
from deploy.contracts.history import GOLDEN, committed_versions

ACCEPTED: Final = "deploy/contracts/accepted_breaks.txt"
HOW_TO_FIX: Final = f"""\
The change breaks a published contract (above). Keep the old shape and add the new one as another \
field, event type or path. If no caller or consumer relies on the old shape, add the line to \
{ACCEPTED}, with the reason as a # comment above it."""
_STALE: Final = "The published contracts are stale ({paths}): run make contracts"


def violations(files: Files, root: Path) -> list[str]:
    """The violations of a tree whose code generates `files`; empty if it has none."""
    broken = broken_contracts(files, root)
    if broken:
        return [*broken, HOW_TO_FIX]
    committed = published(root)
    paths = [
        path
        for path in sorted(files.keys() | committed.keys())
        if committed.get(path) != files.get(path)
    ]
    return [_STALE.format(paths=", ".join(paths))] if paths else []


def broken_contracts(files: Files, root: Path) -> list[str]:
    """One line per breaking change, compared with the tree and with every committed version."""
    accepted = _accepted(root)
    found: dict[str, str] = dict.fromkeys(breaks(published(root), files), "")
    for commit, old in committed_versions(root):
        for line in (*breaks(old, files), *_changed_records(old, root)):
            found.setdefault(line, f" (published in {commit})")
    return [f"{line}{since}" for line, since in sorted(found.items()) if line not in accepted]


def _changed_records(old: Files, root: Path) -> Iterator[str]:
    """Golden records must stay unchanged, byte by byte."""
    for path, text in old.items():
        if path.startswith(GOLDEN) and path.endswith(".record"):
            now = root / path
            if not now.is_file() or now.read_bytes() != text.encode():
                yield f"consumers of old events: {path} was changed or removed"


def _accepted(root: Path) -> set[str]:
    path = root / ACCEPTED
    lines = path.read_text().splitlines() if path.is_file() else []
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}
