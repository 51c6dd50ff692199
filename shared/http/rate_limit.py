"""Token buckets: how much one caller, or one address, may cost one process per second.

The unit is the cost of a read of one document; see `Operation.cost`.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from typing import Final

from shared.http.addresses import network_of
from shared.http.problems import Problem

_MAX_BUCKETS: Final = 10_000
_BURST_S: Final = 2.0
VERIFICATION_COST: Final = 3.0
"""Of the signature of a token that was not seen before."""


class RateLimit:
    """`per_second` on average, `burst` at once. Omits the keys that were idle for longest."""

    def __init__(
        self, reason: str, per_second: float, burst: float, clock: Callable[[], float]
    ) -> None:
        self._reason = reason
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, cost: float) -> None:
        """Raises 429 with Retry-After if the bucket does not contain `cost`."""
        now = self._clock()
        left, at = self._buckets.get(key, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_second)
        cost = min(cost, self._burst)
        if left < cost:
            seconds = max(1, ceil((cost - left) / self._per_second))
            raise Problem(
                "too-many-requests",
                "the rate limit is reached",
                headers={"Retry-After": str(seconds)},
                reason=self._reason,
            )
        self._buckets[key] = (left - cost, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > _MAX_BUCKETS:
            self._buckets.popitem(last=False)

    def release(self, key: str, cost: float) -> None:
        """Undoes a `take` of the same cost."""
        if found := self._buckets.get(key):
            left, at = found
            self._buckets[key] = (min(self._burst, left + cost), at)


class RateLimits:
    """Requests with a valid token count for their caller, all others for their address.

    A rate of 0 is no limit.
    """

    def __init__(
        self,
        *,
        per_caller: float,
        per_address: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._callers = _limit("caller_rate", per_caller, clock)
        self._addresses = _limit("address_rate", per_address, clock)

    def take_caller(self, sub: str, cost: float) -> None:
        """Raises 429."""
        if self._callers is not None:
            self._callers.take(sub, cost)

    def take_address(self, address: str, cost: float) -> None:
        """Raises 429. Addresses of IPv6 count together by their /64 network."""
        if self._addresses is not None:
            self._addresses.take(network_of(address), cost)

    def release_address(self, address: str, cost: float) -> None:
        if self._addresses is not None:
            self._addresses.release(network_of(address), cost)


def _limit(reason: str, per_second: float, clock: Callable[[], float]) -> RateLimit | None:
    return RateLimit(reason, per_second, per_second * _BURST_S, clock) if per_second else None
