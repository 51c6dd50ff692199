"""The aggregates: the state that decisions are made from, and how events change it."""
