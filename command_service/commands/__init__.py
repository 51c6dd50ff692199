"""One file for each command: its message, what it touches, and its decision."""
