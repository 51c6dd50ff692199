"""Who reads a partition from its start and takes the next position has the log, and only it."""

import json
from typing import Any

from faults.evidence import Evidence
from shared.contracts.events import EVENTS, personal_fields
from shared.contracts.records import Record
from tests.support.topics import without_duplicates


def complete_in_order(evidence: Evidence) -> list[str]:
    found: list[str] = []
    for shard in sorted(evidence.log.keys() | evidence.topics.keys()):
        log, topic = evidence.log.get(shard, []), evidence.topics.get(shard, [])
        taken, wanted = without_duplicates(topic), [record.event_id for record in log]
        ids = [record.event_id for record in taken]
        if ids != wanted:
            same = sum(1 for a, b in zip(ids, wanted, strict=False) if a == b)
            found.append(
                f"{shard}: a reader takes {len(ids)} events, the log has {len(wanted)}; "
                f"the first {same} agree"
            )
        found += _different_repeats(shard, topic)
        found += [
            f"{shard} position {record.position}: other data than the log's"
            for record, logged in zip(taken, log, strict=False)
            if _public(record) != _public(logged)
        ]
    return found


def _different_repeats(shard: str, topic: list[Record]) -> list[str]:
    first: dict[int, Record] = {}
    found = []
    for record in topic:
        seen = first.setdefault(record.position, record)
        if (seen.event_id, _public(seen)) != (record.event_id, _public(record)):
            found.append(f"{shard} position {record.position}: a repeat is another event")
    return found


def _public(record: Record) -> tuple[str, str, str | None, dict[str, Any]]:
    """The event without what turns null when its customer is erased."""
    data = json.loads(record.data)
    for name in personal_fields(EVENTS[record.type]):
        data.pop(name, None)
    return record.type, record.subject, record.actor, data
