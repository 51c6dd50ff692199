"""The table of figures, limits, ratios and goals, as plain text and as Markdown."""

from collections.abc import Sequence

from benchmarks.results import Row

_HEAD = ("measure", "figure", "limit or peer", "ratio", "goal", "met")


def plain_text(rows: Sequence[Row]) -> str:
    lines = [_HEAD, *map(_cells, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def markdown(rows: Sequence[Row]) -> str:
    lines = [_HEAD, tuple("---" for _ in _HEAD), *map(_cells, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    met = {True: "yes", False: "NO", None: ""}[row.holds]
    return (row.measure, row.figure, row.limit, row.ratio, row.goal, met)
