"""Processes: what Tandem does by itself when an aggregate reaches a deadline. One file for each."""
