"""Stores the evidence and the findings next to the history, for inspection."""

import json
from pathlib import Path

from faults.evidence import Evidence
from shared.contracts.records import Record


def store_artifacts(directory: Path, evidence: Evidence, findings: dict[str, list[str]]) -> None:
    _write_jsonl(
        directory / "event_log.jsonl",
        [r for s in sorted(evidence.event_log) for r in evidence.event_log[s]],
    )
    _write_jsonl(
        directory / "topics.jsonl", [r for s in sorted(evidence.topics) for r in evidence.topics[s]]
    )
    text = [f"{name}: {line}" for name, lines in findings.items() for line in lines]
    (directory / "findings.txt").write_text("".join(f"{line}\n" for line in text))
    samples = [f"{s.at} {s.process} {s.rss_mb}\n" for s in evidence.samples]
    (directory / "memory.txt").write_text("".join(samples))


def _write_jsonl(path: Path, records: list[Record]) -> None:
    with path.open("w") as file:
        for record in records:
            item = {
                "shard": record.shard,
                "position": record.position,
                "id": record.event_id,
                "type": record.type,
                "subject": record.subject,
                "actor": record.actor,
                "time": record.time,
                "data": json.loads(record.data),
            }
            file.write(json.dumps(item) + "\n")
