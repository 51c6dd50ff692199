"""Processes: actions that Tandem takes when an aggregate reaches a deadline, one file for each."""
