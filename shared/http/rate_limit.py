"""A token bucket per caller: bounds what one caller may ask of one process."""

from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from typing import Final

from shared.http.problems import Problem

_MOST_BUCKETS: Final = 10_000


class RateLimit:
    """`per_second` requests on average, `burst` at once. Forgets the callers idle for longest."""

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, sub: str) -> None:
        """One request of this caller. Raises 429 with Retry-After when its bucket is empty."""
        now = self._clock()
        left, at = self._buckets.get(sub, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_second)
        if left < 1:
            seconds = max(1, ceil((1 - left) / self._per_second))
            raise Problem(
                "too-many-requests",
                "the caller's rate limit is reached",
                headers={"Retry-After": str(seconds)},
            )
        self._buckets[sub] = (left - 1, now)
        self._buckets.move_to_end(sub)
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
