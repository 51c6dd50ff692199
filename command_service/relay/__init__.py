"""Publishes the log to Kafka: every committed event reaches its partition, in commit order."""
