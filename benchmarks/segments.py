"""What a producer sent, as Kafka keeps it: one record batch for each partition of a request."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_HEAD: Final = struct.Struct(">qi")  # base offset, length of what follows
_COUNT_AT: Final = 57


@dataclass(frozen=True, slots=True)
class Batch:
    """`size` in bytes, compressed, with all that Kafka adds to it."""

    records: int
    size: int


def batches_of(logs: Path, topic: str, partition: int) -> list[Batch]:
    """In order; of Kafka's log directory."""
    segments = sorted((logs / f"{topic}-{partition}").glob("*.log"))
    return [batch for segment in segments for batch in _batches(segment.read_bytes())]


def _batches(data: bytes) -> Iterator[Batch]:
    at = 0
    while at + _HEAD.size <= len(data):
        _, length = _HEAD.unpack_from(data, at)
        if length <= 0:  # allocated, not written yet
            return
        (records,) = struct.unpack_from(">i", data, at + _COUNT_AT)
        yield Batch(records, _HEAD.size + length)
        at += _HEAD.size + length
