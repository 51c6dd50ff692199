"""Tandem under faults: a load, a nemesis that injects faults, and an auditor of the results."""
