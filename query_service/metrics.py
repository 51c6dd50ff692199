"""All metrics of the query service, apart from those of HTTP."""

import time
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from query_service.positions import Positions, lag_of
from shared.contracts.shards import split_shard
from shared.contracts.views import Head


class Metrics:
    """Metrics of reads from Redis."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.batch_keys = Histogram(
            "tandem_read_batch_keys",
            "Keys read in one round trip to Redis",
            buckets=(2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
            registry=registry,
        )
        self.waiting = Gauge(
            "tandem_waiting_reads",
            "Requests that are waiting for their token's events",
            registry=registry,
        )


class StreamMetrics:
    """Metrics of streams."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.open = Gauge("tandem_streams", "Open streams", registry=registry)
        self.rejected = Counter(
            "tandem_streams_rejected",
            "Streams that were rejected because of a limit",
            ["limit"],
            registry=registry,
        )
        self.parts = Counter(
            "tandem_stream_parts", "Events and comments sent to streams", registry=registry
        )


class ProjectionMetrics(Collector):
    """`tandem_projection_lag_events` and `tandem_projection_age_seconds`, per topic."""

    def __init__(
        self, positions: Positions, heads: Mapping[str, Head], now: Callable[[], float] = time.time
    ) -> None:
        self._positions = positions
        self._heads = heads
        self._now = now

    def collect(self) -> Iterable[Metric]:
        lags: dict[str, int] = {}
        ages: dict[str, float] = {}
        for shard, head in list(self._heads.items()):
            topic, _ = split_shard(shard)
            lag = lag_of(self._positions.floor(shard), head, int(1000 * self._now()))
            age = max(0.0, self._now() - head.caught_up_at_ms / 1000)
            lags[topic] = lags.get(topic, 0) + lag
            ages[topic] = max(ages.get(topic, 0.0), age)
        yield _by_topic(
            "tandem_projection_lag_events", "Events that the views do not contain yet", lags
        )
        yield _by_topic(
            "tandem_projection_age_seconds", "Seconds since the views were last caught up", ages
        )


def _by_topic(name: str, text: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["topic"])
    for topic, value in values.items():
        family.add_metric([topic], value)
    return family
