"""The HTTP server: its rules, its limits, and its behaviour behind proxies."""
