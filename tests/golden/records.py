"""Reads golden records: the key, the headers, an empty line, the value."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.contracts.ids import placement
from shared.contracts.records import Record, from_kafka
from shared.contracts.shards import DEFAULT_PARTITIONS, shard_name

FOLDER: Final = Path(__file__).parent
_KEY: Final = "key"


@dataclass(frozen=True, slots=True)
class GoldenRecord:
    """A record as Kafka clients return it."""

    topic: str
    key: bytes
    headers: Sequence[tuple[str, bytes]]
    value: bytes

    @property
    def partition(self) -> int:
        return placement(self.key.decode()) % DEFAULT_PARTITIONS

    def event(self) -> Record:
        record = from_kafka(shard_name(self.topic, self.partition), self.value, self.headers)
        assert record is not None
        return record

    def encode(self) -> bytes:
        lines = [(_KEY, self.key), *self.headers]
        return b"".join(b"%s: %s\n" % (name.encode(), value) for name, value in lines) + (
            b"\n" + self.value
        )


def golden_records(topic: str, folder: str = "") -> list[GoldenRecord]:
    """The records of a topic, in order; `folder`: another sequence of records of the topic."""
    paths = sorted((FOLDER / (folder or topic)).glob("*.record"))
    return [_decode(topic, path.read_bytes()) for path in paths]


def _decode(topic: str, raw: bytes) -> GoldenRecord:
    head, _, value = raw.partition(b"\n\n")
    lines = [line.partition(b": ") for line in head.split(b"\n")]
    (_, _, key), *headers = lines
    return GoldenRecord(topic, key, [(name.decode(), text) for name, _, text in headers], value)
