"""What a change of the published contracts breaks, and for whom."""

import json
from collections.abc import Iterator
from typing import Any, Final

from deploy.contracts.files import COMMANDS_FILE, EVENT_FILES, QUERIES_FILE, TOPICS_FILE, Files
from deploy.contracts.operations import openapi_breaks
from deploy.contracts.schema_compatibility import differences
from deploy.contracts.schemas import inlined

Json = dict[str, Any]

_FOR_EVER: Final = -1


def breaks(old: Files, new: Files) -> list[str]:
    """One line for each; none where everybody can live with the new ones."""
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
    whom = f"consumers of {type}"
    if new is None:
        yield f"{whom}: it is gone"
        return
    before, after = json.loads(old), json.loads(new)
    if before["$id"] != after["$id"]:
        yield f"{whom}: its ce_dataschema is another"
    for difference in differences(_resolved(before), _resolved(after), "serializer"):
        yield f"{whom}: {difference}; give the event of the new shape a new type"


def _topic_breaks(old: Json, new: Json) -> Iterator[str]:
    for name, channel in old["channels"].items():
        whom, now = f"consumers of the topic {name}", new.get("channels", {}).get(name)
        if now is None:
            yield f"{whom}: it is gone"
            continue
        for type in channel["messages"].keys() - now["messages"].keys():
            yield f"{whom}: {type} is not published there any more"
        yield from _topic_settings(whom, channel["bindings"]["kafka"], now["bindings"]["kafka"])
        if channel["x-partitioning"]["partition"] != now["x-partitioning"]["partition"]:
            yield f"{whom}: partitions are chosen in another way"
    for type, message in old["components"]["messages"].items():
        now = new.get("components", {}).get("messages", {}).get(type)
        if now is not None:
            headers = message["headers"]["schema"], now["headers"]["schema"]
            for difference in differences(*headers, "serializer"):
                yield f"consumers of {type}: header {difference.removeprefix('/')}"


def _topic_settings(whom: str, old: Json, new: Json) -> Iterator[str]:
    if old["topic"] != new["topic"]:
        yield f"{whom}: it is called {new['topic']}"
    if old["partitions"] != new["partitions"]:
        yield f"{whom}: {new['partitions']} partitions by default instead of {old['partitions']}"
    was, now = (kafka["topicConfiguration"]["retention.ms"] for kafka in (old, new))
    if now != was and now != _FOR_EVER and (was == _FOR_EVER or now < was):
        yield f"{whom}: records are kept for {now} ms instead of {was}"


def _resolved(schema: Json) -> Json:
    inside: Json = inlined(schema, schema.get("$defs", {}))
    return {key: part for key, part in inside.items() if key not in ("$schema", "$id")}
