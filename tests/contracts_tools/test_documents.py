"""The committed documents are valid according to common tools."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from deploy.contracts.files import (
    COMMANDS_FILE,
    EVENT_FILES,
    QUERIES_FILE,
    ROOT,
    TOPICS_FILE,
    published,
)
from deploy.contracts.schemas import inlined
from shared.contracts.events import EVENTS
from shared.contracts.records import data_schema
from shared.contracts.shards import TOPICS
from tests.contracts_tools.tools import require_tool, run
from tests.golden.records import golden_records

ASYNCAPI = Path(__file__).parent / "asyncapi"


def document(path: str) -> Any:
    return json.loads(published()[path])


@pytest.fixture(scope="session")
def parser() -> Path:
    """The AsyncAPI parser from npm, installed once per clone from its lock file."""
    require_tool("node")
    done = ASYNCAPI / "node_modules" / ".package-lock.json"
    lock = ASYNCAPI / "package-lock.json"
    if not done.is_file() or done.stat().st_mtime < lock.stat().st_mtime:
        run(require_tool("npm"), "ci", cwd=ASYNCAPI, timeout_s=300)
    return ASYNCAPI / "parse.mjs"


@pytest.mark.parametrize("path", [COMMANDS_FILE, QUERIES_FILE])
def test_an_openapi_validator_accepts_each_services_document(path: str) -> None:
    found = OpenAPIV31SpecValidator(document(path)).iter_errors()
    assert [error.message for error in found] == []


@pytest.mark.parametrize("path", [COMMANDS_FILE, QUERIES_FILE])
def test_every_json_response_has_an_example_and_all_examples_are_valid(path: str) -> None:
    api = document(path)
    for name, content in contents(api):
        examples = [content["example"]] if "example" in content else []
        examples += [example["value"] for example in content.get("examples", {}).values()]
        assert examples, f"{name} has no example"
        schema = inlined(content["schema"], api["components"]["schemas"])
        for example in examples:
            Draft202012Validator(schema).validate(example)


def contents(api: Any) -> list[tuple[str, Any]]:
    """Every JSON body of requests and responses, with its name."""
    found: list[tuple[str, Any]] = []
    parts = [("shared", {"responses": api["components"]["responses"]})]
    parts += [(path, operation) for path, ms in api["paths"].items() for operation in ms.values()]
    for name, part in parts:
        for status, response in {**part["responses"], "body": part.get("requestBody", {})}.items():
            for media_type, content in response.get("content", {}).items():
                if media_type.endswith("json"):
                    found.append((f"{name} {status}", content))
    return found


def test_the_asyncapi_parser_finds_no_problem(parser: Path) -> None:
    found = json.loads(run(require_tool("node"), parser, ROOT / TOPICS_FILE))
    assert found["problems"] == []
    assert found["channels"] == list(TOPICS)
    assert sorted(found["messages"]) == sorted(EVENTS)


@pytest.mark.parametrize("type", EVENTS)
def test_the_schema_id_of_an_event_is_the_dataschema_of_its_records(type: str) -> None:
    schema = document(f"{EVENT_FILES}{type}.json")
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == data_schema(type)
    for example in schema["examples"]:
        Draft202012Validator(schema).validate(example)


@pytest.mark.parametrize("topic", TOPICS)
def test_golden_records_match_the_published_schemas(topic: str) -> None:
    messages = document(TOPICS_FILE)["components"]["messages"]
    for record in golden_records(topic):
        type = record.event().type
        Draft202012Validator(document(f"{EVENT_FILES}{type}.json")).validate(
            json.loads(record.value)
        )
        headers = {name: value.decode() for name, value in record.headers}
        message = messages[type]
        Draft202012Validator(message["headers"]["schema"]).validate(headers)
        Draft202012Validator(message["payload"]["schema"]).validate(json.loads(record.value))
