"""Finds the programs on the pages: code blocks that start with `# name: description`."""

import re
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
_BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME: Final = re.compile(r"# (\w+\.(?:py|sh)): ")


def blocks(page: str) -> list[tuple[str, str]]:
    """(language, text) of each code block."""
    return _BLOCK.findall((DOCS / page).read_text())


def write_programs(page: str, directory: Path) -> dict[str, Path]:
    """Writes the page's programs to files, and returns their paths by name."""
    programs = {}
    for _, text in blocks(page):
        if name := _NAME.match(text):
            programs[name[1]] = directory / name[1]
            programs[name[1]].write_text(text)
    return programs
