"""New ids, from the clock and the system's randomness."""

import secrets
import time

from shared.contracts.ids import PLACEMENTS, new_id, placement


def random_id() -> str:
    """An id whose placement is random."""
    return _id(secrets.randbelow(PLACEMENTS))


def id_beside(other: str) -> str:
    """An id with the placement of another one."""
    return _id(placement(other))


def _id(placement: int) -> str:
    return new_id(time.time_ns() // 1_000_000, secrets.randbits(62), placement)
