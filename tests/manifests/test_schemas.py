"""Schemas reject unknown fields; stale files and missing tools are reported in one line."""

import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from deploy.local.errors import StackError
from deploy.manifests.custom_kinds import strict
from deploy.manifests.rendering import Resource, stale_renderings, write
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


def test_a_valid_resource_is_accepted() -> None:
    jsonschema.validate(FINE, strict(STRUCTURAL, top=True))


@pytest.mark.parametrize("resource", WRONG)
def test_an_unknown_or_invalid_field_is_rejected(resource: Resource) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(resource, strict(STRUCTURAL, top=True))


def test_unknown_fields_of_core_kinds_and_unknown_kinds_are_reported(
    local: list[Resource],
) -> None:
    relay = find(local, "Deployment", "relay")
    assert schema_violations([relay], {}) == []
    relay["spec"]["replica"] = 1
    unknown = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}}
    invalid, unknown_kind = schema_violations([relay, unknown], {})
    assert invalid.startswith("Deployment relay: ")
    assert unknown_kind == "Thing x: there is no schema for example.com/v1 Thing"


def test_a_custom_kind_is_validated_against_its_definition() -> None:
    thing = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}, **WRONG[1]}
    definition = {"properties": {"apiVersion": {}, "kind": {}, **STRUCTURAL["properties"]}}
    schemas = {"example.com/v1 Thing": strict(definition, top=True)}
    [violation] = schema_violations([thing], schemas)
    assert "prot" in violation


def test_a_stale_rendering_is_reported(tmp_path: Path) -> None:
    write({"local": "a: 1\n"}, tmp_path)
    assert stale_renderings({"local": "a: 1\n"}, tmp_path) == []
    [violation] = stale_renderings({"local": "a: 2\n"}, tmp_path)
    assert violation.startswith("local.yaml is stale")
    assert len(stale_renderings({"production": ""}, tmp_path)) == 1


def test_a_missing_tool_is_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(StackError, match=r"^go is missing"):
        program("kustomize")


def test_the_table_of_settings_matches_the_code_and_keeps_its_meanings(tmp_path: Path) -> None:
    assert table_violations() == []
    page = tmp_path / "README.md"
    page.write_text(
        f"before\n\n{HEAD}| `MAX_CONCURRENT_BATCHES` | `1` | none | what it means |\n\nafter\n"
    )
    assert "the table is stale" in table_violations(page)[0]
    page.write_text(with_table(page.read_text()))
    assert (
        "| `MAX_CONCURRENT_BATCHES` | `2` | command service | what it means |" in page.read_text()
    )
    assert page.read_text().endswith("\n\nafter\n")
    assert any("the meaning of DATABASE_URL is missing" in line for line in table_violations(page))
