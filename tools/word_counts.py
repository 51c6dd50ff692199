"""`python -m tools.word_counts`: how often words occur per 10,000 words of prose.

Prose is the docstrings and comments of all Python files, and all Markdown files. The maximum is
three times the upper figure of five other codebases: arroyo, httpx, starlette, eventsourcing and
protean.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tools.source_text import ROOT, prose, source_files

_WORD: Final = re.compile(r"[A-Za-z][A-Za-z'-]*")


class Measure(NamedTuple):
    name: str
    pattern: str
    minimum: float = 0
    maximum: float = float("inf")


MEASURES: Final = (
    Measure("stand, stands", "stands?", maximum=3 * 0.3),
    Measure("whoever, whom, nobody, …", "whoever|whom|(no|some|every|any)body", maximum=3 * 0.4),
    Measure("tell, told, say, said", "tells?|told|says?|said", maximum=3 * 3.4),
    Measure(
        "where, for if",
        "where (there|it|they|this|that|nothing|none|no|an?|one)",
        maximum=3 * 3.0,
    ),
    Measure("again", "again", maximum=3 * 3.9),
    Measure("anew, meanwhile, for ever", "anew|meanwhile|for ?ever|is away", maximum=0),
    Measure("if", "if", minimum=28.5),
    Measure("maximum, max", "max(imum)?", minimum=1.8),
    Measure("timeout", "timeouts?", minimum=0.3),
)


def count(texts: Iterable[str], measures: Iterable[Measure]) -> Iterator[tuple[Measure, float]]:
    """Occurrences per 10,000 words."""
    text = "\n".join(texts)
    words = len(_WORD.findall(text))
    for measure in measures:
        found = re.findall(rf"\b(?:{measure.pattern})\b", text, re.IGNORECASE)
        yield measure, 10_000 * len(found) / max(words, 1)


def _all_prose(root: Path) -> Iterator[str]:
    for path in source_files(root):
        yield from prose(path, (root / path).read_text())


def main() -> int:
    outside = 0
    for measure, figure in count(_all_prose(ROOT), MEASURES):
        within = measure.minimum <= figure <= measure.maximum
        limits = f"{measure.minimum:.1f} to {measure.maximum:.1f}"
        print(f"{measure.name:26} {figure:6.1f}   {limits:12} {'' if within else 'outside'}")
        outside += not within
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
