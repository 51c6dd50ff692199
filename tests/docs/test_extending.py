"""`extending.md`, followed literally on a copy of the tree, yields a working extension."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import DOCS, blocks
from tools.source_text import tracked_files

ROOT: Final = DOCS.parent
PACKAGES: Final = ("command_service", "projector", "query_service", "shared", "deploy")
FILE: Final = re.compile(r"# ([\w/]+\.py)\n")
EDIT: Final = re.compile(r"# in ([\w/]+\.py), (before|after|instead of) (?:\"(.*)\"|'(.*)')\n")
EVENT_CONTRACT: Final = "shared/contracts/events.py"
UNHANDLED: Final = ("command_service/domain/products.py", "projector/views/products.py")
USES_THE_EXTENSION: Final = """
import json
from datetime import UTC, datetime

from command_service.commands.command import Context
from command_service.commands.registry import COMMANDS
from command_service.domain.orders import Order
from command_service.domain.products import Product
from command_service.domain.shop import Shop
from command_service.processes.registry import PROCESSES, set_deadlines
from projector.views.registry import VIEWS_BY_TOPIC
from shared.contracts.money import Money

[command] = [command for command in COMMANDS if command.name == "CorrectStock"]
product = Product("p", "Tea", Money(amount=450, currency="EUR"), 100, False, 1)
shop = Shop(products={"p": product})
at = datetime(2026, 3, 1, tzinfo=UTC)
context = Context(id="p", caller="c", has_unrestricted_scope=True, at=at)
events = command.decide(command.message(stock=42), context, shop)
shop.apply(events)
documents = {}
for view in VIEWS_BY_TOPIC["products"][1:]:
    for event in events:
        documents[view.name] = view.project(documents.get(view.name), event, "2026-03-01")
unchanged = command.decide(command.message(stock=42), context, shop)
orders = {
    "paid": Order("paid", "u", "placed", (), 2, payment="paid", payment_due_at=at),
    "shipped": Order("shipped", "u", "shipped", (), 3, payment="paid", payment_due_at=at),
}
deadlines = [
    [name, id, str(due)] for name, id, _, due in set_deadlines(Shop(orders=orders), set(orders))
]
process = PROCESSES["shipping-deadline"]
context = Context(id="paid", caller=process.actor, has_unrestricted_scope=True, at=at)
events = process.command.decide(process.message, context, Shop(orders=orders))
cancelled = [event.type for event in events]
print(json.dumps([deadlines, cancelled]))
print(json.dumps([shop.products["p"].stock, documents, len(unchanged)]))
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of all files that Git tracks or would track."""
    for path in tracked_files(ROOT):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes((ROOT / path).read_bytes())
    return tmp_path


def test_the_steps_of_the_page_yield_a_working_extension(tree: Path) -> None:
    steps = [text for language, text in blocks("extending.md") if language == "python"]
    contract = [step for step in steps if step.startswith(f"# in {EVENT_CONTRACT},")]
    for step in contract:
        follow(step, tree)
    assert contract
    types = run(tree, "mypy", *PACKAGES)
    assert types.returncode == 1
    assert sorted(set(re.findall(r"^([\w/]+\.py):\d+: error", types.stdout, re.M))) == [*UNHANDLED]

    for step in steps:
        if step not in contract:
            follow(step, tree)
    types = run(tree, "mypy", *PACKAGES)
    assert types.returncode == 0, types.stdout
    style = run(tree, "ruff", "check", *PACKAGES)
    assert style.returncode == 0, style.stdout

    result = run(tree, "-c", USES_THE_EXTENSION)
    assert result.returncode == 0, result.stderr
    document = {"id": "p", "corrections": 1, "corrected_at": "2026-03-01", "version": 2}
    process, rest = map(json.loads, result.stdout.splitlines())
    assert process == [
        [["shipping-deadline", "paid", "2026-03-08 00:00:00+00:00"]],
        ["order.cancelled"],
    ]
    assert rest == [42, {"stock_corrections": document}, 0]

    written = run(tree, "deploy.contracts", "write")
    assert written.returncode == 0, written.stderr
    for path, text in {
        "command_service/contracts/openapi.json": "/v1/products/{id}/correct-stock",
        "command_service/contracts/asyncapi.json": "product.stock_corrected",
        "query_service/contracts/openapi.json": "/v1/products/{id}/stock-corrections",
    }.items():
        assert text in (tree / path).read_text()

    golden = run(tree, "pytest", "-q", "-n", "0", "tests/unit/contracts/test_golden_records.py")
    assert "product.stock_corrected" in golden.stdout


def follow(step: str, tree: Path) -> None:
    """Writes the file, or makes the edit, that the first line of a code block names.

    An anchor is a line without its indentation, or, before an ellipsis, the beginning of one.
    """
    if file := FILE.match(step):
        path = tree / file[1]
        assert not path.exists()
        path.write_text(step[file.end() :])
        return
    edit = EDIT.match(step)
    assert edit, step
    path, place, anchor = tree / edit[1], edit[2], edit[3] or edit[4]
    lines = path.read_text().splitlines(keepends=True)
    pattern = re.compile(re.escape(anchor).replace("…", ".*"))
    [index] = [i for i, line in enumerate(lines) if pattern.fullmatch(line.strip())]
    start, end = {
        "before": (index, index),
        "after": (index + 1, index + 1),
        "instead of": (index, index + 1),
    }[place]
    lines[start:end] = step[edit.end() :]
    path.write_text("".join(lines))


def run(tree: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a module, or with `-c` a program, in the copy."""
    command = [sys.executable, *(() if module == "-c" else ("-m",)), module, *arguments]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
