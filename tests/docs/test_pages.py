"""The pages' links have targets, and the code that they quote exists."""

import re

import pytest

from tests.docs.pages import DOCS, blocks

PAGES = sorted(path.name for path in DOCS.glob("*.md"))


@pytest.mark.parametrize("page", PAGES)
def test_every_link_has_a_target(page: str) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", (DOCS / page).read_text())
    assert [target for target in targets if not (DOCS / target).exists()] == []


def test_the_index_names_every_page() -> None:
    assert set(PAGES) == {
        "README.md",
        *re.findall(r"\(([\w-]+\.md)\)", (DOCS / "README.md").read_text()),
    }


def test_the_go_code_on_the_page_is_part_of_the_program() -> None:
    program = (DOCS / "examples/go/main.go").read_text()
    shown = [text for language, text in blocks("consuming.md") if language == "go"]
    assert shown
    assert all(text in program for text in shown)
