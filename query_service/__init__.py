"""Answers queries from the views in Redis."""
