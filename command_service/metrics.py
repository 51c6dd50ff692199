"""What the command service measures of itself: all names in one place."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """Counts since the start of the process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.commands = Counter(
            "tandem_commands", "Commands by outcome", ["command", "outcome"], registry=registry
        )
        self.batch_size = Histogram(
            "tandem_command_batch_size",
            "Commands decided in one transaction",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            registry=registry,
        )
        self.batches_retried = Counter(
            "tandem_command_batches_retried",
            "Transactions that were tried again",
            registry=registry,
        )
        self.waiting = Gauge(
            "tandem_command_queue_depth", "Commands that wait for a transaction", registry=registry
        )
        self.anonymizing_steps = Counter(
            "tandem_anonymization_transactions",
            "Transactions that anonymized orders",
            registry=registry,
        )
        self.oldest_unpublished = Gauge(
            "tandem_oldest_unpublished_age_seconds",
            "Age of the oldest event not read back from Kafka, with or without a relay alive",
            registry=registry,
        )
