"""The text of the source tree: which files are checked, and the prose in them."""

import ast
import io
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
_CHECKED: Final = (
    *("*.py", "*.md", "*.yaml", "*.toml", "*.lua", "*.sh", "*.go", "Makefile", "Dockerfile"),
    *("*/contracts/*.json", "command_service/schema/functions/*.sql"),
)
"""Patterns of Git. Applied migrations are not edited, so they are not checked."""


def source_files(root: Path = ROOT) -> list[str]:
    """Paths of the checked files, relative to the root."""
    return tracked_files(root, *_CHECKED)


def tracked_files(root: Path, *patterns: str) -> list[str]:
    """Paths of all files that Git tracks or would track, relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *patterns]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    return sorted({path for path in listed.split("\0") if path and (root / path).is_file()})


def prose(path: str, text: str) -> Iterator[str]:
    """The docstrings and comments of a Python file, or the complete text of a Markdown file."""
    if path.endswith(".md"):
        yield text
    elif path.endswith(".py"):
        yield from _docstrings(ast.parse(text))
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token.string.lstrip("# ")


def _docstrings(module: ast.Module) -> Iterator[str]:
    """Strings that are statements: docstrings, and descriptions below attributes."""
    for node in ast.walk(module):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.value.value
