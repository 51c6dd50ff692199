"""Tandem under faults: a load, a nemesis, and an auditor that judges what is left."""
