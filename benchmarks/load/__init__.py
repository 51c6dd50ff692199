"""The load generator: a process of its own, whose CPU time is told apart from the servers'."""
