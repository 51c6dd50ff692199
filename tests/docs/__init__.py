"""Runs the code on the pages of `docs/` unchanged, and follows the README's "Extend it"."""
