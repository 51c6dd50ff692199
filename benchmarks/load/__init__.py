"""The load generator: a separate process, so that its CPU time is not part of the servers'."""
