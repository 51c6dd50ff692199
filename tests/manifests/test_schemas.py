"""Schemas that refuse what they do not know, and tools that say in a line what they lack."""

import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from deploy.local.errors import StackError
from deploy.manifests.custom_kinds import strict
from deploy.manifests.rendering import Resource, outdated, write
from deploy.manifests.schema_validation import schema_violations
from deploy.manifests.settings_table import HEAD, table_violations, with_table
from deploy.manifests.tools import program
from tests.manifests.conftest import find

STRUCTURAL: dict[str, Any] = {
    "type": "object",
    "properties": {
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "properties": {
                "port": {"x-kubernetes-int-or-string": True},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "rules": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"name": {"type": "string", "nullable": True}},
                        "anyOf": [{"properties": {"name": {"minLength": 2}}}],
                    },
                },
            },
        },
    },
}
FINE = {
    "metadata": {"name": "x"},
    "spec": {"port": "http", "free": {"a": 1}, "labels": {"a": "b"}, "rules": [{"name": "ab"}]},
}
WRONG: list[dict[str, Any]] = [
    {"specs": {}},
    {"spec": {"prot": 1}},
    {"spec": {"port": 1.5}},
    {"spec": {"labels": {"a": 1}}},
    {"spec": {"rules": [{"nam": "x"}]}},
    {"spec": {"rules": [{"name": "x"}]}},
]


def test_what_a_definition_allows_passes() -> None:
    jsonschema.validate(FINE, strict(STRUCTURAL, top=True))


@pytest.mark.parametrize("resource", WRONG)
def test_what_a_definition_does_not_know_is_refused(resource: Resource) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(resource, strict(STRUCTURAL, top=True))


def test_core_kinds_refuse_unknown_fields_and_unknown_kinds_are_told(local: list[Resource]) -> None:
    relay = find(local, "Deployment", "relay")
    assert schema_violations([relay], {}) == []
    relay["spec"]["replica"] = 1
    unknown = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}}
    wrong, not_known = schema_violations([relay, unknown], {})
    assert wrong.startswith("Deployment relay: ")
    assert not_known == "Thing x: no schema is known for example.com/v1 Thing"


def test_a_custom_kind_is_held_against_its_definition() -> None:
    thing = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}, **WRONG[1]}
    definition = {"properties": {"apiVersion": {}, "kind": {}, **STRUCTURAL["properties"]}}
    schemas = {"example.com/v1 Thing": strict(definition, top=True)}
    [violation] = schema_violations([thing], schemas)
    assert "prot" in violation


def test_a_rendered_file_that_is_not_what_its_overlay_gives_is_told(tmp_path: Path) -> None:
    write({"local": "a: 1\n"}, tmp_path)
    assert outdated({"local": "a: 1\n"}, tmp_path) == []
    [violation] = outdated({"local": "a: 2\n"}, tmp_path)
    assert violation.startswith("local.yaml is not what overlays/local gives")
    assert len(outdated({"production": ""}, tmp_path)) == 1


def test_a_missing_tool_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(StackError, match=r"^go is missing"):
        program("kustomize")


def test_the_table_of_settings_is_the_codes_and_keeps_its_meanings(tmp_path: Path) -> None:
    assert table_violations() == []
    page = tmp_path / "README.md"
    page.write_text(
        f"before\n\n{HEAD}| `MAX_CONCURRENT_BATCHES` | `1` | nobody | what it means |\n\nafter\n"
    )
    assert "its settings are not the code's" in table_violations(page)[0]
    page.write_text(with_table(page.read_text()))
    assert (
        "| `MAX_CONCURRENT_BATCHES` | `2` | command service | what it means |" in page.read_text()
    )
    assert page.read_text().endswith("\n\nafter\n")
    assert any("what does DATABASE_URL mean?" in line for line in table_violations(page))
