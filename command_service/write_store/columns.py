"""Rows as statements take them: an array for each column."""

from collections.abc import Iterable, Sequence
from typing import Any


def columns(width: int, rows: Iterable[tuple[Any, ...]]) -> list[Sequence[Any]]:
    """`width` arrays of equal length, empty where there are no rows."""
    return list(zip(*rows, strict=True)) or [()] * width
