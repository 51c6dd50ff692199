"""The metrics of the relay. Counters start at 0 with the process."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class RelayMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        # An event that is published twice counts twice.
        self.published = Counter(
            "tandem_relay_events_published",
            "Events acknowledged by Kafka",
            ["topic"],
            registry=registry,
        )
        self.oldest_unpublished_age = Gauge(
            "tandem_relay_oldest_unpublished_age_seconds",
            "Age of the oldest unpublished event of the owned shards, 0 if there is none",
            registry=registry,
        )
        self.owned = Gauge("tandem_relay_shards_owned", "Shards leased", registry=registry)
        # Of all shards, also of those that another relay halted. Above 0 an operator must decide.
        self.halted = Gauge(
            "tandem_relay_shards_halted", "Shards halted by a log divergence", registry=registry
        )
        self.reconciliations = Counter(
            "tandem_relay_reconciliations", "Successful reconciliations", registry=registry
        )
        # Kafka lost records or a topic was recreated; the records are published again.
        self.cursor_resets = Counter(
            "tandem_relay_cursor_resets",
            "Reconciliations that found published records missing",
            registry=registry,
        )
        self.produce_errors = Counter(
            "tandem_relay_produce_errors",
            "Batches that Kafka rejected or did not acknowledge in time",
            registry=registry,
        )
        self.background_failures = Counter(
            "tandem_relay_background_job_failures",
            "Failures of jobs beside publishing; each job is started again",
            ["job"],
            registry=registry,
        )
        self.failures = Counter(
            "tandem_relay_failures", "Failed steps of a shard, for any reason", registry=registry
        )
