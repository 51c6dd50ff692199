"""The table of results: scenarios × properties, and the figures of each scenario."""

from collections.abc import Sequence

from faults.auditor import PROPERTIES
from faults.stage import ScenarioResult

_FIGURES = ("operations", "unknown", "reads", "events", "kills", "recovery_s", "rss_mb")


def table(results: Sequence[ScenarioResult]) -> str:
    head = ["scenario", *PROPERTIES, *_FIGURES]
    rows = [head, *(_row(result) for result in results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _row(result: ScenarioResult) -> list[str]:
    name = result.scenario.name
    if result.skipped:
        return [name, *("skipped" for _ in PROPERTIES), *("-" for _ in _FIGURES)]
    verdicts = ["FAILED" if result.findings[p] else "held" for p in PROPERTIES]
    return [name, *verdicts, *(str(result.figures[figure]) for figure in _FIGURES)]
