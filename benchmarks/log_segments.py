"""Reads record batches from Kafka's log segments: one for each partition of a produce request."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_HEAD: Final = struct.Struct(">qi")  # base offset, length of the rest
_COUNT_OFFSET: Final = 57


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """`size` is in bytes, compressed, headers included."""

    records: int
    size: int


def read_record_batches(logs: Path, topic: str, partition: int) -> list[RecordBatch]:
    """In order; `logs` is Kafka's log directory."""
    segments = sorted((logs / f"{topic}-{partition}").glob("*.log"))
    return [batch for segment in segments for batch in _batches(segment.read_bytes())]


def _batches(data: bytes) -> Iterator[RecordBatch]:
    at = 0
    while at + _HEAD.size <= len(data):
        _, length = _HEAD.unpack_from(data, at)
        if length <= 0:  # allocated, not written yet
            return
        (records,) = struct.unpack_from(">i", data, at + _COUNT_OFFSET)
        yield RecordBatch(records, _HEAD.size + length)
        at += _HEAD.size + length
