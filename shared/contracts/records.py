"""A committed event as a CloudEvent: the log's row, and the Kafka record made of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.contracts.names import NAMESPACE
from shared.contracts.shards import shard_name

Headers = Sequence[tuple[str, bytes]]
SOURCE: Final = f"{NAMESPACE}/command-service"


@dataclass(frozen=True, slots=True)
class Record:
    """An event at its place in the log. `data` is the JSON that the topics carry, as bytes."""

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
    """The address that names the JSON Schema of an event type."""
    return f"{NAMESPACE}/schemas/{type}.json"


def to_headers(record: Record) -> list[tuple[str, bytes]]:
    """CloudEvents 1.0, binary content mode. The record's key is its subject."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", record.event_id.encode()),
        ("ce_type", record.type.encode()),
        ("ce_source", SOURCE.encode()),
        ("ce_subject", record.subject.encode()),
        ("ce_time", record.time.encode()),
        ("ce_dataschema", data_schema(record.type).encode()),
        ("ce_position", b"%d" % record.position),
        ("content-type", b"application/json"),
    ]
    if record.actor is not None:
        headers.append(("ce_actor", record.actor.encode()))
    if record.traceparent is not None:
        headers.append(("traceparent", record.traceparent.encode()))
    return headers


def position_of(headers: Headers) -> int | None:
    """The position that a Kafka record claims, or None where it is not one of Tandem's."""
    for name, value in headers:
        if name == "ce_position":
            return int(value) if value and value.isdigit() and len(value) <= 18 else None
    return None


def from_kafka(topic: str, partition: int, value: bytes | None, headers: Headers) -> Record | None:
    """The event that a Kafka record carries, or None where it is not one of Tandem's."""
    position = position_of(headers)
    if position is None or value is None:
        return None
    texts: dict[str, str] = {}
    for name, raw in headers:
        texts[name] = (raw or b"").decode(errors="replace")
    try:
        return Record(
            shard=shard_name(topic, partition),
            position=position,
            event_id=texts["ce_id"],
            type=texts["ce_type"],
            subject=texts["ce_subject"],
            actor=texts.get("ce_actor"),
            time=texts["ce_time"],
            traceparent=texts.get("traceparent"),
            data=value,
        )
    except KeyError:
        return None
