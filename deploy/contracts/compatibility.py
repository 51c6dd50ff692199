"""Finds the breaking changes of the published contracts, with the callers or consumers affected."""

import json
from collections.abc import Iterator
from typing import Any, Final

from deploy.contracts.files import COMMANDS_FILE, EVENT_FILES, QUERIES_FILE, TOPICS_FILE, Files
from deploy.contracts.operations import openapi_breaks
from deploy.contracts.schema_compatibility import differences
from deploy.contracts.schemas import inlined

Json = dict[str, Any]

_UNLIMITED: Final = -1


def breaks(old: Files, new: Files) -> list[str]:
    """One line per breaking change; empty if every caller and consumer can use the new files."""
    found: list[str] = []
    for path in (COMMANDS_FILE, QUERIES_FILE):
        if path in old:
            found += openapi_breaks(json.loads(old[path]), json.loads(new.get(path, "{}")))
    if TOPICS_FILE in old:
        found += _topic_breaks(json.loads(old[TOPICS_FILE]), json.loads(new.get(TOPICS_FILE, "{}")))
    for path, text in old.items():
        if path.startswith(EVENT_FILES):
            type = path.removeprefix(EVENT_FILES).removesuffix(".json")
            found += _event_breaks(type, text, new.get(path))
    return found


def _event_breaks(type: str, old: str, new: str | None) -> Iterator[str]:
    affected = f"consumers of {type}"
    if new is None:
        yield f"{affected}: the event type was removed"
        return
    before, after = json.loads(old), json.loads(new)
    if before["$id"] != after["$id"]:
        yield f"{affected}: its ce_dataschema changed"
    for difference in differences(_resolved(before), _resolved(after), "serializer"):
        yield f"{affected}: {difference}; publish the new shape as a new event type"


def _topic_breaks(old: Json, new: Json) -> Iterator[str]:
    for name, channel in old["channels"].items():
        affected, now = f"consumers of the topic {name}", new.get("channels", {}).get(name)
        if now is None:
            yield f"{affected}: the topic was removed"
            continue
        for type in channel["messages"].keys() - now["messages"].keys():
            yield f"{affected}: {type} is no longer published"
        yield from _setting_breaks(affected, channel["bindings"]["kafka"], now["bindings"]["kafka"])
        if channel["x-partitioning"]["partition"] != now["x-partitioning"]["partition"]:
            yield f"{affected}: the partitioning changed"
    for type, message in old["components"]["messages"].items():
        now = new.get("components", {}).get("messages", {}).get(type)
        if now is not None:
            headers = message["headers"]["schema"], now["headers"]["schema"]
            for difference in differences(*headers, "serializer"):
                yield f"consumers of {type}: header {difference.removeprefix('/')}"


def _setting_breaks(affected: str, old: Json, new: Json) -> Iterator[str]:
    if old["topic"] != new["topic"]:
        yield f"{affected}: the topic was renamed to {new['topic']}"
    if old["partitions"] != new["partitions"]:
        yield f"{affected}: {new['partitions']} default partitions instead of {old['partitions']}"
    before, now = (kafka["topicConfiguration"]["retention.ms"] for kafka in (old, new))
    if now != before and now != _UNLIMITED and (before == _UNLIMITED or now < before):
        yield f"{affected}: the retention is {now} ms instead of {before}"


def _resolved(schema: Json) -> Json:
    inside: Json = inlined(schema, schema.get("$defs", {}))
    return {key: part for key, part in inside.items() if key not in ("$schema", "$id")}
