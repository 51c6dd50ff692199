"""Writes what is published of Tandem's contracts, and keeps what is published from breaking."""
