"""What the documents refer to exists, and the reading order and the decisions stay short."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tools.source_text import source_files

ROOT: Final = Path(__file__).parents[2]
DOCUMENTS: Final = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").rglob("*.md"))
)
DECISIONS: Final = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
PATH: Final = re.compile(
    r"`((?:command_service|query_service|projector|shared|deploy|benchmarks|faults|tests|tools|docs)"
    r"/[\w./-]*)`"
)
LINK: Final = re.compile(r"\]\(([^)#:]*)(#[^)]*)?\)")
MAX_FIRST_SITTING: Final = 12
MAX_DECISION_LINES: Final = 50


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_in_a_document_exists(document: str) -> None:
    named = PATH.findall((ROOT / document).read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_has_a_target(document: str) -> None:
    folder = (ROOT / document).parent
    for path, anchor in LINK.findall((ROOT / document).read_text()):
        target = folder / path if path else ROOT / document
        assert target.exists(), path
        if anchor:
            assert anchor[1:] in _anchors(target.read_text()), f"{path}{anchor}"


def test_the_first_sitting_is_at_most_12_files_from_shards_to_a_read() -> None:
    order = _section("ARCHITECTURE.md", "Reading order").partition("When you need it")[0]
    files = PATH.findall(order)
    assert len(files) <= MAX_FIRST_SITTING
    assert files[0] == "shared/contracts/shards.py"
    assert files[-1].startswith("query_service/")
    assert all((ROOT / path).is_file() for path in files)


def test_every_guarantee_has_tests_or_is_stated_as_missing() -> None:
    rows = re.findall(r"^\| (\d)\. .*$", _section("ARCHITECTURE.md", "Guarantees"), re.MULTILINE)
    assert rows == ["1", "2", "3", "4", "5", "6", "7", "8"]
    for line in _section("ARCHITECTURE.md", "Guarantees").splitlines():
        if re.match(r"\| \d\. ", line):
            assert PATH.search(line) or "Not built yet" in line


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_three_sections_and_is_short(decision: Path) -> None:
    text = decision.read_text()
    assert len(text.splitlines()) <= MAX_DECISION_LINES
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert text.startswith(f"# {int(decision.stem[:4])}. ")


def test_the_index_of_decisions_is_complete() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text()
    listed = re.findall(r"^\| \[\d+\]\(([^)]*)\) \| (.*) \|$", index, re.MULTILINE)
    expected = [(path.name, path.read_text().partition("\n")[0]) for path in DECISIONS]
    assert [(name, f"# {int(name[:4])}. {title}") for name, title in listed] == expected


def test_every_name_in_the_glossary_occurs_in_the_code() -> None:
    code = "\n".join(
        (ROOT / path).read_text() for path in source_files(ROOT) if not path.endswith(".md")
    )
    assert [name for name in _glossary_names() if name not in code] == []


def _glossary_names() -> Iterator[str]:
    """Code spans of the first column; `max_…` is a prefix."""
    for line in (ROOT / "docs/glossary.md").read_text().splitlines():
        if line.startswith("| "):
            yield from (name.strip("…") for name in re.findall(r"`([^`]+)`", line.split("|")[1]))


def _section(document: str, title: str) -> str:
    return (ROOT / document).read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _anchors(text: str) -> set[str]:
    """GitHub's anchors of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
