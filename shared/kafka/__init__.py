"""Kafka: the settings that lead to it, and thin client factories."""
