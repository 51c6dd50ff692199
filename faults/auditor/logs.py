"""The log has no hole and no event twice, and is what the write store's state came from."""

from collections import Counter

from faults.evidence import Evidence


def dense_and_as_the_state(evidence: Evidence) -> list[str]:
    found: list[str] = []
    for shard, records in evidence.log.items():
        positions = [record.position for record in records]
        if positions != list(range(1, len(positions) + 1)):
            found.append(f"{shard}: positions are not 1, 2, 3, …: {_first_odd(positions)}")
    twice = [id for id, count in Counter(r.event_id for r in evidence.records).items() if count > 1]
    found += [f"event id {id} stands in the log more than once" for id in twice]
    return found + _versions(evidence) + _state(evidence)


def _versions(evidence: Evidence) -> list[str]:
    found = []
    for subject, records in evidence.by_subject.items():
        versions = [evidence.version(record) for record in records]
        if versions != list(range(1, len(versions) + 1)):
            found.append(f"{subject}: versions are not 1, 2, 3, …: {_first_odd(versions)}")
        if len({record.shard for record in records}) > 1:
            found.append(f"{subject} stands in more than one shard")
    return found


def _state(evidence: Evidence) -> list[str]:
    logged = {subject: len(records) for subject, records in evidence.by_subject.items()}
    stored = {id: row.version for id, row in evidence.state.items()}
    return [
        f"{id}: the state has version {stored.get(id)}, the log {logged.get(id)}"
        for id in sorted(logged.keys() | stored.keys())
        if logged.get(id) != stored.get(id)
    ]


def _first_odd(numbers: list[int]) -> str:
    odd = next(i for i, number in enumerate([*numbers, 0]) if number != i + 1)
    return f"… {numbers[max(0, odd - 2) : odd + 3]}"
