"""What a scenario may do to the answers, and within which time everything is level again."""

from dataclasses import dataclass

from faults.history import Part


@dataclass(frozen=True, slots=True)
class Limits:
    """`goes_on`: parts that must not notice the fault at all. `unreachable`: parts whose own
    process is hit, so that a request may get no answer. `recovery`: seconds from the end of the
    fault until every outcome is known, topics are complete and views level.
    """

    goes_on: frozenset[Part] = frozenset()
    unreachable: frozenset[Part] = frozenset()
    recovery: float = 20.0
    memory_mb: float = 250.0
    answer: float = 12.0
    """Seconds an answer may take beyond what the client waits for: 10, and 2 for a busy machine."""
