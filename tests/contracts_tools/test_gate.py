"""A change that breaks a published contract is rejected, with the callers or consumers affected."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.contracts.compatibility import breaks
from deploy.contracts.files import (
    COMMANDS_FILE,
    EVENT_FILES,
    QUERIES_FILE,
    TOPICS_FILE,
    Files,
    write,
)
from deploy.contracts.files import generated as generate
from deploy.contracts.gate import ACCEPTED, violations

Change = Callable[[Any], Any]

TEXT = {"type": "string"}
PLACED = f"{EVENT_FILES}order.placed.json"


@pytest.fixture(scope="module")
def files() -> Files:
    return generate()


def changed(files: Files, path: str, change: Change) -> Files:
    document = json.loads(files[path])
    change(document)
    return {**files, path: json.dumps(document)}


def operation(document: Any, path: str, method: str) -> Any:
    return document["paths"][path][method]


def schema(document: Any, name: str) -> Any:
    return document["components"]["schemas"][name]


def renames_a_field(event: Any) -> None:
    event["properties"]["address"] = event["properties"].pop("shipping_address")
    event["required"] = [name for name in event["required"] if name != "shipping_address"]


def requires_a_field(document: Any) -> None:
    schema(document, "PlaceOrder")["properties"]["phone"] = {"type": "string"}
    schema(document, "PlaceOrder")["required"].append("phone")


def widens_a_type(document: Any) -> None:
    schema(document, "OrderLine")["properties"]["quantity"]["maximum"] = 20_000


def adds_a_status(document: Any) -> None:
    schema(document, "OrderDocument")["properties"]["status"]["enum"].append("lost")


def requires_a_parameter(document: Any) -> None:
    operation(document, "/v1/products", "get")["parameters"][0]["required"] = True


def keep(topic: str, milliseconds: int) -> Change:
    def change(document: Any) -> None:
        kafka = document["channels"][topic]["bindings"]["kafka"]
        kafka["topicConfiguration"]["retention.ms"] = milliseconds

    return change


BREAKS: list[tuple[str, Change, str]] = [
    (PLACED, renames_a_field,
     "consumers of order.placed: /shipping_address was removed (added: address); "
     "publish the new shape as a new event type"),
    (PLACED, lambda d: d["properties"]["total"].update({"$ref": "#/$defs/PlacedItem"}),
     "consumers of order.placed: /total/amount was removed"),
    (PLACED, lambda d: d["$defs"]["Money"]["properties"]["amount"].update(type="string"),
     "consumers of order.placed: /items/*/unit_price/amount changed"),
    (PLACED, lambda d: d["required"].remove("customer_id"),
     "consumers of order.placed: /customer_id is now optional"),
    (PLACED, lambda d: d.update({"$id": "elsewhere"}),
     "consumers of order.placed: its ce_dataschema changed"),
    (TOPICS_FILE, lambda d: d["channels"]["orders"]["messages"].pop("order.shipped"),
     "consumers of the topic orders: order.shipped is no longer published"),
    (TOPICS_FILE, lambda d: d["channels"]["orders"]["bindings"]["kafka"].update(partitions=6),
     "consumers of the topic orders: 6 default partitions instead of 12"),
    (TOPICS_FILE, keep("orders", 1000),
     "consumers of the topic orders: the retention is 1000 ms instead of 604800000"),
    (TOPICS_FILE, keep("products", 1000),
     "consumers of the topic products: the retention is 1000 ms instead of -1"),
    (TOPICS_FILE, lambda d: d["components"]["messages"]["order.placed"]["headers"]["schema"][
        "properties"].pop("ce_actor"),
     "consumers of order.placed: header ce_actor was removed"),
    (QUERIES_FILE, lambda d: operation(d, "/v1/orders/{id}/stream", "get")["responses"]["200"][
        "content"]["text/event-stream"]["schema"]["properties"]["data"]["contentSchema"].update(
            anyOf=[{"type": "string"}]),
     "callers of GET /v1/orders/{id}/stream: in the response 200, "),
    (COMMANDS_FILE, requires_a_field,
     "callers of POST /v1/orders: in the request, /phone is now required"),
    (COMMANDS_FILE, lambda d: schema(d, "CreateUser")["properties"]["name"].update(maxLength=20),
     "callers of POST /v1/users: in the request, /name changed"),
    (COMMANDS_FILE, lambda d: schema(d, "CommandResult")["properties"].pop("version"),
     "callers of PUT /v1/users/{id}/name: in the response 200, /version was removed"),
    (COMMANDS_FILE, lambda d: operation(d, "/v1/orders", "post")["responses"].pop("409"),
     "callers of POST /v1/orders: the response 409 was removed"),
    (COMMANDS_FILE, lambda d: d["paths"].pop("/v1/orders/{id}/cancel"),
     "callers of POST /v1/orders/{id}/cancel: the operation was removed"),
    (COMMANDS_FILE, lambda d: operation(d, "/v1/orders", "post")["security"].pop(0),
     "callers of POST /v1/orders: orders:write no longer grants access"),
    (COMMANDS_FILE, lambda d: operation(d, "/v1/orders", "post")["responses"]["201"][
        "headers"].pop("Location"),
     "callers of POST /v1/orders: the response 201 no longer has the header Location"),
    (QUERIES_FILE, lambda d: schema(d, "OrderDocument")["properties"].pop("total"),
     "callers of GET /v1/orders: in the response 200, /items/*/total was removed"),
    (QUERIES_FILE, adds_a_status,
     "callers of GET /v1/orders/{id}: in the response 200, /status changed"),
    (QUERIES_FILE, lambda d: operation(d, "/v1/products", "get")["parameters"].pop(0),
     "callers of GET /v1/products: the query parameter q was removed"),
    (QUERIES_FILE, requires_a_parameter,
     "callers of GET /v1/products: the query parameter q is now required"),
    (QUERIES_FILE, lambda d: operation(d, "/v1/products", "get")["security"].pop(0),
     "callers of GET /v1/products: no token no longer grants access"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "change", "message"), BREAKS, ids=[b[2][:70] for b in BREAKS])
def test_a_break_is_reported_with_those_it_affects(
    files: Files, path: str, change: Change, message: str
) -> None:
    found = breaks(files, changed(files, path, change))
    assert any(line.startswith(message) for line in found), found


HARMLESS: list[tuple[str, Change]] = [
    (PLACED, lambda d: d["properties"].update(note={"type": "string"})),
    (PLACED, lambda d: d.update(description="Another description.")),
    (TOPICS_FILE, keep("orders", -1)),
    (TOPICS_FILE, lambda d: d["channels"]["orders"]["messages"].update({"order.lost": {}})),
    (COMMANDS_FILE, widens_a_type),
    (COMMANDS_FILE, lambda d: schema(d, "PlaceOrder")["properties"].update(note=TEXT)),
    (COMMANDS_FILE, lambda d: schema(d, "CommandResult")["properties"].update(at=TEXT)),
    (COMMANDS_FILE, lambda d: operation(d, "/v1/orders", "post")["responses"].update({"418": {}})),
    (QUERIES_FILE, lambda d: d["paths"].update({"/v1/new": {}})),
]  # fmt: skip


@pytest.mark.parametrize(("path", "change"), HARMLESS)
def test_additions_and_wider_types_are_compatible(files: Files, path: str, change: Change) -> None:
    assert breaks(files, changed(files, path, change)) == []


def test_a_removed_event_type_affects_its_consumers(files: Files) -> None:
    remaining = {path: text for path, text in files.items() if path != PLACED}
    assert breaks(files, remaining) == ["consumers of order.placed: the event type was removed"]


@pytest.fixture
def tree(tmp_path: Path, files: Files) -> Path:
    """A tree with the files published now, without history."""
    write(files, tmp_path)
    return tmp_path


def git(tree: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=T", "-c", "user.email=t@example.com", *arguments]
    subprocess.run(command, cwd=tree, check=True, capture_output=True)


def commit(tree: Path) -> None:
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", "a change")


def test_an_up_to_date_tree_has_no_violations(files: Files, tree: Path) -> None:
    assert violations(files, tree) == []


def test_a_stale_file_is_reported_with_the_command_to_run(files: Files, tree: Path) -> None:
    added = changed(files, PLACED, HARMLESS[0][1])
    [violation] = violations(added, tree)
    assert violation.endswith(f"({PLACED}): run make contracts")


def test_a_break_is_found_without_history(files: Files, tree: Path) -> None:
    found = violations(changed(files, PLACED, renames_a_field), tree)
    assert found[0].startswith("consumers of order.placed: /shipping_address was removed")
    assert ACCEPTED in found[-1]


def test_a_committed_break_is_still_found(files: Files, tree: Path) -> None:
    git(tree, "init", "-q")
    commit(tree)
    broken = changed(files, PLACED, renames_a_field)
    write(broken, tree)
    commit(tree)
    found = violations(broken, tree)
    assert found[0].startswith("consumers of order.placed: /shipping_address was removed")
    assert "(published in " in found[0]


def test_an_accepted_break_passes(files: Files, tree: Path) -> None:
    broken = changed(files, PLACED, renames_a_field)
    lines = breaks(files, broken)
    (tree / ACCEPTED).parent.mkdir(parents=True)
    (tree / ACCEPTED).write_text("\n".join(["# no consumer used it yet", *lines]))
    assert "run make contracts" in violations(broken, tree)[0]
    write(broken, tree)
    assert violations(broken, tree) == []


def test_a_changed_golden_record_is_found(files: Files, tree: Path) -> None:
    record = tree / "tests/golden/orders/01-order.placed.record"
    record.parent.mkdir(parents=True)
    record.write_bytes(b"key: 1\n\n{}")
    git(tree, "init", "-q")
    commit(tree)
    record.write_bytes(b"key: 2\n\n{}")
    [violation, _] = violations(files, tree)
    assert violation.startswith("consumers of old events: tests/golden/orders/01-order.placed")
