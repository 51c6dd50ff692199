"""The sections of a run. A new one is a file here and a line in `registry.py`."""
