"""`make bench`: Tandem's performance, measured beside its limits and comparable services."""
