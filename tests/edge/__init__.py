"""The HTTP server by itself: its rules, its limits, and its behaviour behind proxies."""
