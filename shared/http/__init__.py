"""The HTTP layer that every process answers through: declared operations, one thin dispatcher."""
