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
        self.erasure_transactions = Counter(
            "tandem_erasure_transactions",
            "Transactions that erased personal data or anonymized orders",
            registry=registry,
        )
        self.job_failures = Counter(
            "tandem_background_job_failures",
            "Failures of background jobs; each is retried",
            ["job"],
            registry=registry,
        )
        self.process_commands = Counter(
            "tandem_process_commands",
            "Commands that a process sent when a deadline passed, by outcome",
            ["name", "outcome"],
            registry=registry,
        )
        self.deadlines_overdue = Gauge(
            "tandem_process_overdue",
            "Deadlines that have passed without their command",
            ["name"],
            registry=registry,
        )
        self.deadline_overdue_age = Gauge(
            "tandem_process_overdue_age_seconds",
            "Time since the oldest deadline that has passed without its command",
            ["name"],
            registry=registry,
        )
        self.oldest_unpublished_age = Gauge(
            "tandem_oldest_unpublished_age_seconds",
            "Age of the oldest event not yet read back from Kafka, even if no relay is alive",
            registry=registry,
        )
