"""The HTTP layer of every process: declared operations and one thin dispatcher."""
