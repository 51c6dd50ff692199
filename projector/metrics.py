"""Every metric of the projector, in one place."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class Metrics:
    """Names as Prometheus has them; `topic` is users, products or orders, `shard` is orders.7."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # Events that moved a checkpoint, whether by Kafka or by the log.
        self.applied = Counter(
            "tandem_projector_events_applied", "Events applied", ["topic"], registry=registry
        )
        # Batches written; events over batches is their mean size.
        self.batches = Counter(
            "tandem_projector_batches_written", "Batches written", ["topic"], registry=registry
        )
        # Records that were no new event: repeats, and what is not Tandem's. The latter is worrying.
        self.repeats = Counter(
            "tandem_projector_duplicates", "Records at or below the checkpoint", registry=registry
        )
        self.foreign = Counter(
            "tandem_projector_foreign_records", "Records that are no events", registry=registry
        )
        # Somebody else moved the checkpoint between load and write: normal in a rebalance.
        self.misses = Counter(
            "tandem_projector_compare_and_set_conflicts",
            "Batches folded again because the checkpoint had moved",
            registry=registry,
        )
        # Events taken from the log: gaps, lost checkpoints, a Kafka that gives nothing.
        self.healed = Counter(
            "tandem_projector_events_caught_up", "Events applied from the log", registry=registry
        )
        # Times that a shard turned to the log, and times that this or Kafka's batch failed.
        self.heals = Counter(
            "tandem_projector_catch_ups", "Turns to the log", ["reason"], registry=registry
        )
        self.failures = Counter(
            "tandem_projector_failures", "Attempts that failed", ["at"], registry=registry
        )
        # Events set aside because they cannot be folded, and their followers. Alert on any.
        self.parked = Counter(
            "tandem_projector_events_parked", "Events parked", ["topic"], registry=registry
        )
        # 1 while the log contradicts the views: a restored PostgreSQL. Alert on any.
        self.forked = Gauge(
            "tandem_projector_log_divergence",
            "The log contradicts the views",
            ["shard"],
            registry=registry,
        )
        # The log's head less the checkpoint at the last look, and seconds since they were level.
        self.lag = Gauge(
            "tandem_projector_lag_events", "Events behind the log", ["shard"], registry=registry
        )
        self.age = Gauge(
            "tandem_projector_age_seconds", "Seconds since level", ["shard"], registry=registry
        )
        # Shards that this process looks after.
        self.shards = Gauge(
            "tandem_projector_shards_assigned", "Shards of this process", registry=registry
        )

    def forget(self, shard: str) -> None:
        """Another process reports this shard from now on."""
        for gauge in (self.forked, self.lag, self.age):
            gauge.remove(shard)
