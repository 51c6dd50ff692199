"""The output of commands: tables and plain lines, or one JSON object per line."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

DONE: Final = 0
REJECTED: Final = 1
UNAVAILABLE: Final = 3


class Output:
    """Writes to standard output."""

    def __init__(self, *, json: bool) -> None:
        self._json = json

    def line(self, text: str, **fields: Any) -> None:
        """The text, or its fields as JSON."""
        self._write(orjson.dumps(fields).decode() if self._json else text)

    def table(self, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        """One row per mapping, whose keys are the columns in lower case."""
        if self._json:
            for row in rows:
                self._write(orjson.dumps(row).decode())
            return
        names = [column.lower() for column in columns]
        cells = [list(columns), *([_cell(row[name]) for name in names] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        right = [rows and all(isinstance(row[name], int) for row in rows) for name in names]
        for line in cells:
            padded = (
                cell.rjust(width) if is_right else cell.ljust(width)
                for cell, width, is_right in zip(line, widths, right, strict=True)
            )
            self._write("  ".join(padded).rstrip())

    def _write(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _cell(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return "-" if value is None else str(value)
