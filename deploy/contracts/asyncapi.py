"""Generates the AsyncAPI 3 document of the topics that the relay creates and publishes to."""

from typing import Any, Final

from command_service.relay.settings import RelaySettings
from command_service.relay.topics import topic_configs
from deploy.contracts.examples import EXAMPLES, SUMMARIES
from deploy.contracts.schemas import event_schema, inlined
from shared.contracts.events import EVENTS, Event, ProductReleased, ProductReserved
from shared.contracts.examples import TIME, USER_ID
from shared.contracts.records import Record, to_headers
from shared.contracts.shards import DEFAULT_PARTITIONS, TOPICS, Topic, shard_of

Json = dict[str, Any]

VERSION: Final = "1.0.0"
_BINDING: Final = "0.5.0"
_FORMAT: Final = "application/schema+json;version=draft-07"
_WITHOUT_ACTOR: Final = (ProductReserved, ProductReleased)
_DEFAULTS: Final = RelaySettings.model_construct()

_INFO: Final = """\
Every committed event of the shop, in commit order, as CloudEvents 1.0 in Kafka's binary content \
mode.

**Order and duplicates.** `ce_position` is 1, 2, 3, … in each partition, without gaps. Store the \
last position that you processed of each partition in the same transaction as its effects; process \
the next position and skip all others. A duplicate has the same `ce_id`. Read the partition from \
the start, keeping your position, if your offset is out of range, if the record before it is not \
the one that you read, or if positions stay ahead of yours. If retention has deleted the start, \
a new consumer starts at the first available position.

**Personal data.** Fields marked `x-personal-data` are null in an event that is republished after \
the user was erased.

**Evolution.** Fields and event types may be added: ignore unknown ones. None is removed or \
changes its meaning without a new type."""

_CHANNELS: Final[dict[Topic, str]] = {
    "users": "Events of user accounts.",
    "products": "Events of the catalogue and its stock. They contain no personal data.",
    "orders": "Events of orders. All orders of a customer are in one partition, in order.",
}
_HEADERS: Final[dict[str, Json]] = {
    "ce_specversion": {"const": "1.0"},
    "ce_id": {"format": "uuid", "description": "Unique per event; a duplicate has the same id."},
    "ce_type": {},
    "ce_source": {},
    "ce_subject": {"format": "uuid", "description": "The aggregate; also the record's key."},
    "ce_time": {
        "format": "date-time",
        "description": "When it was decided: UTC, milliseconds.",
    },
    "ce_dataschema": {},
    "ce_position": {
        "pattern": "^[1-9][0-9]{0,17}$",
        "description": "Its position in the partition, decimal: 1, 2, 3, … in commit order.",
    },
    "ce_actor": {"description": "The `sub` of the caller that sent the command."},
    "traceparent": {"description": "The W3C trace context of the command, if it had one."},
    "content-type": {"const": "application/json"},
}
_OPTIONAL: Final = ("ce_actor", "traceparent")
_FIXED: Final = ("ce_type", "ce_source", "ce_dataschema")


def asyncapi_document() -> Json:
    """All topics, with the settings of a new installation."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Tandem events", "version": VERSION, "description": _INFO},
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic) for topic in TOPICS},
        "operations": {
            f"publish_{topic}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{topic}"},
                "summary": f"The relay publishes the event log of {topic}.",
            }
            for topic in TOPICS
        },
        "components": {"messages": {event.type: _message(event) for event in EVENTS.values()}},
    }


def _channel(topic: Topic) -> Json:
    types = [event.type for event in EVENTS.values() if event.topic == topic]
    kafka = {
        "topic": topic,
        "partitions": DEFAULT_PARTITIONS,
        "topicConfiguration": _configuration(topic),
        "bindingVersion": _BINDING,
    }
    return {
        "address": topic,
        "title": topic,
        "description": _CHANNELS[topic],
        "messages": {type: {"$ref": f"#/components/messages/{type}"} for type in types},
        "bindings": {"kafka": kafka},
        "x-partitioning": {
            "partition": "placement mod partitions",
            "placement": "the last 12 bits of the record's key; an order has its customer's",
            "partitions": "12 by default, never changed once chosen",
        },
    }


def _configuration(topic: Topic) -> Json:
    found = topic_configs(topic, _DEFAULTS)
    return {
        "cleanup.policy": found["cleanup.policy"].split(","),
        "retention.ms": int(found["retention.ms"]),
        "retention.bytes": int(found["retention.bytes"]),
    }


def _message(event: type[Event]) -> Json:
    schema = event_schema(event)
    definitions = schema.get("$defs", {})
    standalone = ("$schema", "$id", "$defs", "examples")
    body = {key: part for key, part in schema.items() if key not in standalone}
    headers = example_headers(event)
    return {
        "name": event.type,
        "title": event.type,
        "summary": SUMMARIES[event],
        "contentType": "application/json",
        "headers": {"schemaFormat": _FORMAT, "schema": _headers_schema(event, headers)},
        "payload": {"schemaFormat": _FORMAT, "schema": inlined(body, definitions)},
        "bindings": {
            "kafka": {"key": {"type": "string", "format": "uuid"}, "bindingVersion": _BINDING}
        },
        "examples": [{"headers": headers, "payload": EXAMPLES[event]}],
    }


def _headers_schema(event: type[Event], example: dict[str, str]) -> Json:
    properties = {
        name: {"type": "string", **schema, **({"const": example[name]} if name in _FIXED else {})}
        for name, schema in _HEADERS.items()
        if name != "ce_actor" or event not in _WITHOUT_ACTOR
    }
    required = [name for name in properties if name not in _OPTIONAL]
    return {"type": "object", "required": required, "properties": properties}


def example_headers(event: type[Event]) -> dict[str, str]:
    """The headers of this type's example, as the relay would publish it."""
    subject = EXAMPLES[event]["id"]
    record = Record(
        shard=shard_of(event.topic, subject, DEFAULT_PARTITIONS),
        position=42,
        event_id="019cb1a5-0302-7c11-8d2e-6a0b54f1907e",
        type=event.type,
        subject=subject,
        actor=None if event in _WITHOUT_ACTOR else USER_ID,
        time=TIME,
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        data=b"",
    )
    return {name: value.decode() for name, value in to_headers(record)}
