"""Generates the published files from the models: path below the project's root to text."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from command_service.commands.registry import COMMANDS
from command_service.http.operations import command_document, command_operations
from deploy.contracts.asyncapi import asyncapi_document
from deploy.contracts.schemas import event_schema
from query_service.live.live_views import LiveViews
from query_service.queries.openapi import query_document, query_operations
from query_service.queries.query import QueryDependencies
from shared.contracts.events import EVENTS
from shared.contracts.shards import DEFAULT_PARTITIONS

Files = Mapping[str, str]

ROOT: Final = Path(__file__).resolve().parents[2]
COMMANDS_FILE: Final = "command_service/contracts/openapi.json"
QUERIES_FILE: Final = "query_service/contracts/openapi.json"
TOPICS_FILE: Final = "command_service/contracts/asyncapi.json"
EVENT_FILES: Final = "command_service/contracts/events/"
FOLDERS: Final = ("command_service/contracts", "query_service/contracts")


def generated() -> Files:
    """The files that the current code generates."""
    commands = command_operations(COMMANDS, _never_called)
    files: dict[str, Any] = {
        COMMANDS_FILE: command_document(commands),
        QUERIES_FILE: query_document(query_operations(_no_dependencies())),
        TOPICS_FILE: asyncapi_document(),
        **{f"{EVENT_FILES}{type}.json": event_schema(event) for type, event in EVENTS.items()},
    }
    return {path: _text(document) for path, document in files.items()}


def published(root: Path = ROOT) -> Files:
    """The files in the tree."""
    return {
        str(path.relative_to(root)): path.read_text()
        for folder in FOLDERS
        for path in sorted((root / folder).rglob("*.json"))
    }


def write(files: Files, root: Path = ROOT) -> None:
    """Writes the files, and deletes files that are no longer published."""
    for path in published(root).keys() - files.keys():
        (root / path).unlink()
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def _text(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _never_called(_command: object) -> Any:
    """The operations are declared and never called."""


def _no_dependencies() -> QueryDependencies:
    nothing = cast("Any", None)
    return QueryDependencies(
        reader=nothing,
        consistency=nothing,
        documents=nothing,
        pages=nothing,
        live=LiveViews(nothing, nothing, nothing),
        partitions=DEFAULT_PARTITIONS,
        now=partial(datetime.now, UTC),
    )
