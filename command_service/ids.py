"""New ids, from the clock and the system's randomness."""

import os
import time
from collections.abc import Iterator
from typing import Final

from shared.contracts.ids import new_id, placement

_WORD: Final = 10  # bytes: the 62 bits of an id's randomness and the 12 of its placement
_WORDS_AT_ONCE: Final = 256


def random_id() -> str:
    """An id whose placement is random."""
    random = next(_random)
    return new_id(_now_ms(), random >> 12, random)


def colocated_id(other: str) -> str:
    """An id with the placement of another one."""
    return new_id(_now_ms(), next(_random), placement(other))


def _words() -> Iterator[int]:
    """The system is asked for many at once: an order takes five ids."""
    while True:
        words = os.urandom(_WORD * _WORDS_AT_ONCE)
        for at in range(0, len(words), _WORD):
            yield int.from_bytes(words[at : at + _WORD])


_random = _words()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
