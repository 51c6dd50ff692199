"""Runs the code on the pages of `docs/` unchanged."""
