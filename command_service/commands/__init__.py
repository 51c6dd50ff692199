"""One file for each command: its message, the state it requires, and its decision."""
