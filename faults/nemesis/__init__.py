"""The faults by target. Each is a function of the system, a random generator and a duration."""
