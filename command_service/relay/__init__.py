"""The outbox relay: publishes every committed event to its Kafka partition, in commit order."""
