"""What the documents name exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATH = re.compile(
    r"`((?:command_service|query_service|projector|shared|deploy|tests|docs)/[\w./-]*)`"
)


def _named_paths(document: str) -> list[str]:
    return PATH.findall((ROOT / document).read_text())


@pytest.mark.parametrize("document", ["README.md", "ARCHITECTURE.md"])
def test_every_path_that_a_document_names_exists(document: str) -> None:
    named = _named_paths(document)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_reading_order_leads_from_the_ids_to_the_view() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    order = text.partition("## The reading order")[2].partition("\n## ")[0]
    steps = PATH.findall(order)
    assert len(steps) > 15
    assert steps[0] == "shared/contracts/ids.py"
    assert {step.split("/")[0] for step in steps} >= {
        "command_service",
        "projector",
        "query_service",
        "shared",
    }
