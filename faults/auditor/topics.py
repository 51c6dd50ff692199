"""Each partition, without duplicates, equals the event log of its shard."""

import json
from typing import Any

from faults.evidence import Evidence
from shared.contracts.events import EVENTS, personal_fields
from shared.contracts.records import Record
from tests.support.topics import without_duplicates


def complete_and_ordered(evidence: Evidence) -> list[str]:
    found: list[str] = []
    for shard in sorted(evidence.event_log.keys() | evidence.topics.keys()):
        logged, topic = evidence.event_log.get(shard, []), evidence.topics.get(shard, [])
        published, expected = without_duplicates(topic), [record.event_id for record in logged]
        ids = [record.event_id for record in published]
        if ids != expected:
            same = sum(1 for a, b in zip(ids, expected, strict=False) if a == b)
            found.append(
                f"{shard}: the topic has {len(ids)} events, the event log {len(expected)}; "
                f"{same} are equal"
            )
        found += _different_duplicates(shard, topic)
        found += [
            f"{shard} position {record.position}: the data differs from the event log"
            for record, original in zip(published, logged, strict=False)
            if _public(record) != _public(original)
        ]
    return found


def _different_duplicates(shard: str, topic: list[Record]) -> list[str]:
    first: dict[int, Record] = {}
    found = []
    for record in topic:
        original = first.setdefault(record.position, record)
        if (original.event_id, _public(original)) != (record.event_id, _public(record)):
            found.append(f"{shard} position {record.position}: a duplicate is a different event")
    return found


def _public(record: Record) -> tuple[str, str, str | None, dict[str, Any]]:
    """The event without the fields that erasure sets to null."""
    data = json.loads(record.data)
    for name in personal_fields(EVENTS[record.type]):
        data.pop(name, None)
    return record.type, record.subject, record.actor, data
