"""New ids, from the clock and the system's randomness."""

import os
import time
from collections.abc import Iterator
from typing import Final

from shared.contracts.ids import new_id, placement

_BYTES_PER_ID: Final = 10  # the 62 random bits of an id and the 12 bits of its placement
_IDS_PER_READ: Final = 256


def random_id() -> str:
    """A new id with a random placement."""
    random = next(_random)
    return new_id(_now_ms(), random >> 12, random)


def colocated_id(other: str) -> str:
    """A new id with the placement of another one."""
    return new_id(_now_ms(), next(_random), placement(other))


def _read_random() -> Iterator[int]:
    """Reads for many ids at once: a single order needs five."""
    while True:
        buffer = os.urandom(_BYTES_PER_ID * _IDS_PER_READ)
        for start in range(0, len(buffer), _BYTES_PER_ID):
            yield int.from_bytes(buffer[start : start + _BYTES_PER_ID])


_random = _read_random()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
