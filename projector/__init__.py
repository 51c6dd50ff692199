"""Folds the log's events into the views that the query service reads."""
