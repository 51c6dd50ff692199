"""The aggregates: the state that decisions are based on, and how events change it."""
