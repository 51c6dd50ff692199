"""Every metric of the projector, in one place."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class Metrics:
    """`topic` is users, products or orders; `shard` is a name such as orders.7."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # Events over batches is the mean batch size.
        self.applied = Counter(
            "tandem_projector_events_applied",
            "Events applied to the views, from Kafka or from the event log",
            ["topic"],
            registry=registry,
        )
        self.batches = Counter(
            "tandem_projector_batches_written", "Batches written", ["topic"], registry=registry
        )
        self.duplicates = Counter(
            "tandem_projector_duplicates",
            "Records whose position the checkpoint contained already",
            registry=registry,
        )
        # Alert: another producer writes to Tandem's topics.
        self.foreign = Counter(
            "tandem_projector_foreign_records",
            "Records in the topics that are not Tandem's events",
            registry=registry,
        )
        # Normal in a rebalance.
        self.conflicts = Counter(
            "tandem_projector_compare_and_set_conflicts",
            "Batches that were folded again because another process moved the checkpoint",
            registry=registry,
        )
        self.caught_up = Counter(
            "tandem_projector_events_caught_up",
            "Events applied from the event log instead of from Kafka",
            registry=registry,
        )
        self.catch_ups = Counter(
            "tandem_projector_catch_ups",
            "Catch-ups from the event log",
            ["reason"],
            registry=registry,
        )
        self.failures = Counter(
            "tandem_projector_failures",
            "Failed attempts that are retried",
            ["at"],
            registry=registry,
        )
        # Alert on any.
        self.parked = Counter(
            "tandem_projector_events_parked",
            "Poison events that were parked, without the later events of their aggregates",
            ["topic"],
            registry=registry,
        )
        # Alert on any: the shard is halted until parked aggregates are retried successfully.
        self.parked_full = Gauge(
            "tandem_projector_parked_full",
            "1 if another aggregate would exceed the maximum number of parked ones, otherwise 0",
            ["shard"],
            registry=registry,
        )
        # Alert on any.
        self.parked_events = Gauge(
            "tandem_projector_parked_events",
            "Parked events of the shard",
            ["shard"],
            registry=registry,
        )
        self.parked_age = Gauge(
            "tandem_projector_parked_age_seconds",
            "Age of the shard's oldest first parked event, 0 if there is none",
            ["shard"],
            registry=registry,
        )
        self.shape = Gauge(
            "tandem_projector_shape",
            "Shape of the live generation of the shard's views",
            ["shard"],
            registry=registry,
        )
        # Alert above 0 for 60 s.
        self.spare_lag = Gauge(
            "tandem_projector_spare_lag_events",
            "Live position minus the position of the spare generation, 0 without one",
            ["shard"],
            registry=registry,
        )
        self.sweep_due = Gauge(
            "tandem_projector_sweep_due",
            "1 while keys of dropped generations may exist, otherwise 0",
            ["shard"],
            registry=registry,
        )
        # Alert on any: this process cannot fold the views.
        self.unknown_shape = Gauge(
            "tandem_projector_unknown_shape",
            "1 if the live generation has a shape that this version does not know, otherwise 0",
            ["shard"],
            registry=registry,
        )
        # Alert on any: PostgreSQL was restored.
        self.divergence = Gauge(
            "tandem_projector_log_divergence",
            "1 if the event log does not contain the event of the shard's checkpoint, otherwise 0",
            ["shard"],
            registry=registry,
        )
        self.lag = Gauge(
            "tandem_projector_lag_events",
            "Head of the event log minus the position of the checkpoint",
            ["shard"],
            registry=registry,
        )
        self.age = Gauge(
            "tandem_projector_age_seconds",
            "Time since the views of the shard were last caught up",
            ["shard"],
            registry=registry,
        )
        self.shards = Gauge(
            "tandem_projector_shards_assigned",
            "Shards assigned to this process",
            registry=registry,
        )

    def remove_shard(self, shard: str) -> None:
        """Another process reports this shard from now on."""
        for gauge in (
            self.divergence,
            self.parked_full,
            self.lag,
            self.age,
            self.parked_events,
            self.parked_age,
            self.shape,
            self.spare_lag,
            self.sweep_due,
        ):
            gauge.remove(shard)
