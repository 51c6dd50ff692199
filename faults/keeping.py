"""Keeps what was judged beside the history, for people to look at."""

import json
from pathlib import Path

from faults.evidence import Evidence
from shared.contracts.records import Record


def keep(directory: Path, evidence: Evidence, findings: dict[str, list[str]]) -> None:
    _lines(directory / "log.jsonl", [r for s in sorted(evidence.log) for r in evidence.log[s]])
    _lines(
        directory / "topics.jsonl", [r for s in sorted(evidence.topics) for r in evidence.topics[s]]
    )
    told = [f"{name}: {line}" for name, lines in findings.items() for line in lines]
    (directory / "findings.txt").write_text("".join(f"{line}\n" for line in told))
    samples = [f"{s.at} {s.process} {s.rss_mb}\n" for s in evidence.samples]
    (directory / "memory.txt").write_text("".join(samples))


def _lines(path: Path, records: list[Record]) -> None:
    with path.open("w") as file:
        for record in records:
            kept = {
                "shard": record.shard,
                "position": record.position,
                "id": record.event_id,
                "type": record.type,
                "subject": record.subject,
                "actor": record.actor,
                "time": record.time,
                "data": json.loads(record.data),
            }
            file.write(json.dumps(kept) + "\n")
