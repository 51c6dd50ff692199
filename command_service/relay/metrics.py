"""What the relay measures of itself: all names in one place."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class RelayMetrics:
    """Counts since the start of the process. Events that are sent again are counted again."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.published = Counter(
            "tandem_relay_events_published", "Acknowledged by Kafka", ["topic"], registry=registry
        )
        # 0 while nothing waits. Of own shards only, and of all halted ones.
        self.oldest_unpublished = Gauge(
            "tandem_relay_oldest_unpublished_age_seconds",
            "Age of the oldest event that waits",
            registry=registry,
        )
        self.owned = Gauge("tandem_relay_shards_owned", "Leases held", registry=registry)
        # Of all shards, whoever found the fork. Anything but 0 needs a person.
        self.halted = Gauge(
            "tandem_relay_shards_halted", "Stopped: log and topic differ", registry=registry
        )
        self.checks = Counter(
            "tandem_relay_reconciliations", "Checks that ended well", registry=registry
        )
        # Kafka lost records, or a topic was made again: they are published again.
        self.went_back = Counter(
            "tandem_relay_cursor_resets",
            "Checks that found sent records missing",
            registry=registry,
        )
        self.send_errors = Counter(
            "tandem_relay_produce_errors", "Batches refused or unanswered", registry=registry
        )
        self.failures = Counter(
            "tandem_relay_failures", "Steps of a shard that failed, any cause", registry=registry
        )
