"""Clients of Kafka and their settings."""
