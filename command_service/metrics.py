"""The metrics of the command service."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """Counters start at zero with the process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.commands = Counter(
            "tandem_commands", "Commands, by outcome", ["command", "outcome"], registry=registry
        )
        self.batch_size = Histogram(
            "tandem_command_batch_size",
            "Commands per transaction",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            registry=registry,
        )
        self.batches_retried = Counter(
            "tandem_command_batches_retried",
            "Batches retried after a transient failure",
            registry=registry,
        )
        self.queue_depth = Gauge(
            "tandem_command_queue_depth", "Commands waiting for a transaction", registry=registry
        )
        self.anonymization_transactions = Counter(
            "tandem_anonymization_transactions",
            "Transactions that anonymized orders",
            registry=registry,
        )
        self.oldest_unpublished_age = Gauge(
            "tandem_oldest_unpublished_age_seconds",
            "Age of the oldest event not yet read back from Kafka, even if no relay is alive",
            registry=registry,
        )
