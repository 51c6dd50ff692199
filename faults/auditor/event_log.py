"""The event log has no gaps and no duplicates, and agrees with the rows of the write store."""

from collections import Counter

from faults.evidence import Evidence


def complete_and_consistent(evidence: Evidence) -> list[str]:
    found: list[str] = []
    for shard, records in evidence.event_log.items():
        positions = [record.position for record in records]
        if positions != list(range(1, len(positions) + 1)):
            found.append(f"{shard}: positions are not 1, 2, 3, …: {_first_difference(positions)}")
    duplicates = [
        id for id, count in Counter(r.event_id for r in evidence.records).items() if count > 1
    ]
    found += [f"event id {id} is in the event log more than once" for id in duplicates]
    return found + _versions(evidence) + _rows(evidence)


def _versions(evidence: Evidence) -> list[str]:
    found = []
    for subject, records in evidence.by_subject.items():
        versions = [evidence.version(record) for record in records]
        if versions != list(range(1, len(versions) + 1)):
            found.append(f"{subject}: versions are not 1, 2, 3, …: {_first_difference(versions)}")
        if len({record.shard for record in records}) > 1:
            found.append(f"{subject} is in more than one shard")
    return found


def _rows(evidence: Evidence) -> list[str]:
    logged = {subject: len(records) for subject, records in evidence.by_subject.items()}
    stored = {id: row.version for id, row in evidence.rows.items()}
    return [
        f"{id}: the row has version {stored.get(id)}, the event log {logged.get(id)}"
        for id in sorted(logged.keys() | stored.keys())
        if logged.get(id) != stored.get(id)
    ]


def _first_difference(numbers: list[int]) -> str:
    index = next(i for i, number in enumerate([*numbers, 0]) if number != i + 1)
    return f"… {numbers[max(0, index - 2) : index + 3]}"
