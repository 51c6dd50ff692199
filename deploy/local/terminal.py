"""Formats the demo's output: aligned, and coloured if it goes to a terminal."""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

BOLD, DIM, GREEN, PLAIN = "\033[1m", "\033[2m", "\033[32m", "\033[0m"
INDENT = "   "
MAX_INLINE_WIDTH = 70


class Terminal:
    def __init__(self) -> None:
        self._coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def title(self, text: str) -> None:
        self._print(self._in(BOLD, text))

    def heading(self, number: int, text: str) -> None:
        self._print("")
        self._print(self._in(BOLD, f"{number}  {text}"))

    def command(self, text: str) -> None:
        """A shell command of one or more lines, the first with a prompt."""
        first, *others = text.splitlines()
        for line in (f"$ {first}", *(f"  {line}" for line in others)):
            self._print(INDENT + self._in(DIM, line))

    def result(self, text: str) -> None:
        self._print(INDENT + self._in(GREEN, text))

    def text(self, text: str) -> None:
        self._print(INDENT + text)

    def pairs(self, pairs: Mapping[str, str]) -> None:
        width = max(len(name) for name in pairs)
        for name, value in pairs.items():
            self._print(f"{INDENT}{name:{width}}  {value}")

    def json(self, value: Any) -> None:
        for line in pretty(value).splitlines():
            self._print(INDENT + line)

    def blank_line(self) -> None:
        self._print("")

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{PLAIN}" if self._coloured else text

    def _print(self, text: str) -> None:
        print(text, flush=True)


def pretty(value: Any, margin: int = 0) -> str:
    """JSON on several lines; short values are on one line."""
    short = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or (margin and len(short) + margin <= MAX_INLINE_WIDTH):
        return short
    inner = " " * (margin + 2)
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {pretty(part, margin + 2)}" for key, part in value.items()]
        opening, closing = "{", "}"
    else:
        parts = [pretty(part, margin + 2) for part in value]
        opening, closing = "[", "]"
    lines = ",\n".join(inner + part for part in parts)
    return f"{opening}\n{lines}\n{' ' * margin}{closing}"
