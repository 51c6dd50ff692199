"""Clients of Redis and Redis Cluster, their settings, and batches of commands."""
