"""New ids, from the clock and the system's randomness."""

import os
import time

from shared.contracts.ids import new_id, placement


def random_id() -> str:
    """An id whose placement is random."""
    random = int.from_bytes(os.urandom(10))  # one call: an order takes five ids
    return new_id(_now_ms(), random >> 12, random)


def id_beside(other: str) -> str:
    """An id with the placement of another one."""
    return new_id(_now_ms(), int.from_bytes(os.urandom(8)), placement(other))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
