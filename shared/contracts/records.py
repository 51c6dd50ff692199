"""A committed event as a row of the event log, and as the Kafka record (CloudEvent) of it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from shared.contracts.names import NAMESPACE, SCHEMA_BASE

Header = tuple[str, bytes]
Headers = Sequence[Header]
SOURCE: Final = f"{NAMESPACE}/command-service"
_SPECVERSION: Final[Header] = ("ce_specversion", b"1.0")
_SOURCE: Final[Header] = ("ce_source", SOURCE.encode())
_CONTENT_TYPE: Final[Header] = ("content-type", b"application/json")


class Record(NamedTuple):
    """An event at its position in the event log. `data` is its JSON in the topics, as bytes."""

    shard: str
    position: int
    event_id: str
    type: str
    subject: str
    actor: str | None
    time: str
    traceparent: str | None
    data: bytes


def data_schema(type: str) -> str:
    """The URI of the JSON Schema of an event type."""
    return f"{SCHEMA_BASE}{type}.json"


def to_headers(record: Record) -> list[Header]:
    """CloudEvents 1.0, binary content mode. The record's key is its subject."""
    type, schema = _type_headers(record.type)
    headers = [
        _SPECVERSION,
        ("ce_id", record.event_id.encode()),
        type,
        _SOURCE,
        ("ce_subject", record.subject.encode()),
        ("ce_time", record.time.encode()),
        schema,
        ("ce_position", b"%d" % record.position),
        _CONTENT_TYPE,
    ]
    if record.actor is not None:
        headers.append(("ce_actor", record.actor.encode()))
    if record.traceparent is not None:
        headers.append(("traceparent", record.traceparent.encode()))
    return headers


@lru_cache(maxsize=256)
def _type_headers(type: str) -> tuple[Header, Header]:
    return ("ce_type", type.encode()), ("ce_dataschema", data_schema(type).encode())


def position_of(headers: Headers) -> int | None:
    """The position of a Kafka record; None if it is not one of Tandem's."""
    return parse_position(dict(headers).get("ce_position"))


def from_kafka(shard: str, value: bytes | None, headers: Headers) -> Record | None:
    """The event in a Kafka record of the shard; None if it is not one of Tandem's."""
    found = dict(headers)
    position = parse_position(found.get("ce_position"))
    if position is None or value is None:
        return None
    actor, trace = found.get("ce_actor"), found.get("traceparent")
    try:
        return Record(
            shard,
            position,
            found["ce_id"].decode(),
            found["ce_type"].decode(),
            found["ce_subject"].decode(),
            None if actor is None else actor.decode(),
            found["ce_time"].decode(),
            None if trace is None else trace.decode(),
            value,
        )
    except (KeyError, AttributeError, UnicodeDecodeError):
        return None


def parse_position(value: bytes | None) -> int | None:
    """The position in a header's value; None if there is none."""
    return int(value) if value and value.isdigit() and len(value) <= 18 else None
