"""Counts and times requests at a fraction of a microsecond each, for Prometheus."""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

BOUNDS: Final = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)


class Timings:
    """One operation's requests by status class: seconds in buckets."""

    __slots__ = ("counts", "operation", "sums")

    def __init__(self, operation: str) -> None:
        self.operation = operation
        self.counts = [[0] * (len(BOUNDS) + 1) for _ in range(6)]
        self.sums = [0.0] * 6

    def observe(self, status: int, seconds: float) -> None:
        """Adds one request with a response."""
        status_class = status // 100
        self.counts[status_class][bisect_left(BOUNDS, seconds)] += 1
        self.sums[status_class] += seconds


class RequestMetrics(Collector):
    """`http_request_duration_seconds{operation,status}` and `http_requests_in_flight`.

    Only the thread of the event loop writes, so plain integers need no lock.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.in_flight = 0
        self.rejected: dict[str, int] = {}
        self._timings: dict[str, Timings] = {}
        registry.register(self)

    def of(self, operation: str) -> Timings:
        """Where this operation's requests are counted."""
        return self._timings.setdefault(operation, Timings(operation))

    def collect(self) -> Iterable[Metric]:
        seconds = HistogramMetricFamily(
            "http_request_duration_seconds",
            "Seconds from a complete request to its response.",
            labels=["operation", "status"],
        )
        for timings in self._timings.values():
            for status_class, counts in enumerate(timings.counts):
                if any(counts):
                    labels = [timings.operation, f"{status_class}xx"]
                    seconds.add_metric(labels, _cumulative(counts), timings.sums[status_class])
        yield seconds
        yield GaugeMetricFamily(
            "http_requests_in_flight", "Requests in progress.", value=self.in_flight
        )
        rejected = CounterMetricFamily(
            "http_rejected",
            "Requests and connections that were rejected or cut off, by reason.",
            labels=["reason"],
        )
        for reason, count in self.rejected.items():
            rejected.add_metric([reason], count)
        yield rejected


def _cumulative(counts: list[int]) -> list[tuple[str, float]]:
    bounds = [*(str(bound) for bound in BOUNDS), "+Inf"]
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip(bounds, counts, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets
