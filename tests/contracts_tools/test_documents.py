"""The committed documents are well-formed to the tools that others read them with."""

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
from tests.contracts_tools.tools import require, run
from tests.golden.records import golden_records

ASYNCAPI = Path(__file__).parent / "asyncapi"


def document(path: str) -> Any:
    return json.loads(published()[path])


@pytest.fixture(scope="session")
def parser() -> Path:
    """The AsyncAPI parser from npm, installed by its lock file once for each clone."""
    require("node")
    done = ASYNCAPI / "node_modules" / ".package-lock.json"
    lock = ASYNCAPI / "package-lock.json"
    if not done.is_file() or done.stat().st_mtime < lock.stat().st_mtime:
        run(require("npm"), "ci", cwd=ASYNCAPI, seconds=300)
    return ASYNCAPI / "parse.mjs"


@pytest.mark.parametrize("path", [COMMANDS_FILE, QUERIES_FILE])
def test_an_openapi_validator_accepts_each_services_document(path: str) -> None:
    found = OpenAPIV31SpecValidator(document(path)).iter_errors()
    assert [error.message for error in found] == []


@pytest.mark.parametrize("path", [COMMANDS_FILE, QUERIES_FILE])
def test_every_example_is_valid_and_every_json_answer_has_one(path: str) -> None:
    api = document(path)
    for name, content in contents(api):
        examples = [content["example"]] if "example" in content else []
        examples += [example["value"] for example in content.get("examples", {}).values()]
        assert examples, f"{name} has no example"
        schema = inlined(content["schema"], api["components"]["schemas"])
        for example in examples:
            Draft202012Validator(schema).validate(example)


def contents(api: Any) -> list[tuple[str, Any]]:
    """Every JSON body that is sent or comes back, with what it is."""
    found: list[tuple[str, Any]] = []
    parts = [("shared", {"responses": api["components"]["responses"]})]
    parts += [(path, operation) for path, ms in api["paths"].items() for operation in ms.values()]
    for name, part in parts:
        for status, response in {**part["responses"], "body": part.get("requestBody", {})}.items():
            for media_type, content in response.get("content", {}).items():
                if media_type.endswith("json"):
                    found.append((f"{name} {status}", content))
    return found


def test_the_asyncapi_parser_reads_the_topics_without_a_complaint(parser: Path) -> None:
    found = json.loads(run(require("node"), parser, ROOT / TOPICS_FILE))
    assert found["problems"] == []
    assert found["channels"] == list(TOPICS)
    assert sorted(found["messages"]) == sorted(EVENTS)


@pytest.mark.parametrize("type", EVENTS)
def test_an_events_schema_has_the_id_its_records_name(type: str) -> None:
    schema = document(f"{EVENT_FILES}{type}.json")
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == data_schema(type)
    for example in schema["examples"]:
        Draft202012Validator(schema).validate(example)


@pytest.mark.parametrize("topic", TOPICS)
def test_golden_records_fit_the_published_schemas(topic: str) -> None:
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
