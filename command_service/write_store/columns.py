"""Rows as the arguments of a statement: one array for each column."""

from collections.abc import Iterable, Sequence
from typing import Any


def columns(width: int, rows: Iterable[tuple[Any, ...]]) -> list[Sequence[Any]]:
    """`width` arrays of equal length, empty if there are no rows."""
    return list(zip(*rows, strict=True)) or [()] * width
