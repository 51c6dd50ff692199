"""Writes Tandem's published contracts, and rejects changes that break them."""
