"""The permitted effects of a scenario, and the maximum duration of the recovery."""

from dataclasses import dataclass

from faults.history import Side


@dataclass(frozen=True, slots=True)
class Limits:
    """`unaffected`: sides whose responses must not change. `unreachable`: sides whose process is
    the target, so that requests may get no response. `recovery_s`: from the end of the fault until
    every outcome is known, the topics are complete and the views are caught up.
    """

    unaffected: frozenset[Side] = frozenset()
    unreachable: frozenset[Side] = frozenset()
    recovery_s: float = 20.0
    max_memory_mb: float = 250.0
    response_timeout_s: float = 12.0
    """In addition to the wait that the client requests: 10 s, and 2 s for a loaded machine."""
    max_deadline_delay_s: float = 5.0
    """From a payment deadline, or from the end of the fault, to the cancellation of the order."""
