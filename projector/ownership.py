"""Which shards this process projects: those that the consumer group assigned to it."""

from collections.abc import Callable, Iterable


class Ownership:
    """The current assignment. Its `generation` changes with each rebalance.

    Work that was started in one generation must not affect the next.
    """

    def __init__(
        self, shards: Iterable[str], assignment_timeout_s: float, clock: Callable[[], float]
    ) -> None:
        """After `assignment_timeout_s` without an assignment, Kafka counts as unavailable."""
        self._shards = frozenset(shards)
        self._assignment_timeout_s = assignment_timeout_s
        self._clock = clock
        self._assigned: frozenset[str] | None = None
        self._unassigned_since = clock()
        self.generation = 0

    @property
    def assigned(self) -> frozenset[str]:
        return self._assigned or frozenset()

    @property
    def has_assignment(self) -> bool:
        """Whether the group has assigned shards to this process, possibly none."""
        return self._assigned is not None

    def assign(self, shards: Iterable[str]) -> int:
        """Returns the new generation."""
        self._assigned = frozenset(shards) & self._shards
        self.generation += 1
        return self.generation

    def revoke(self) -> frozenset[str]:
        """Returns the shards that were assigned."""
        revoked = self.assigned
        self._assigned = None
        self._unassigned_since = self._clock()
        self.generation += 1
        return revoked

    def monitored(self) -> frozenset[str]:
        """The shards to poll: the assigned ones, or all if Kafka is unavailable.

        Without Kafka, all processes catch up the same shards; compare-and-set applies each event
        once.
        """
        if self._assigned is not None:
            return self._assigned
        unassigned_s = self._clock() - self._unassigned_since
        return self._shards if unassigned_s > self._assignment_timeout_s else frozenset()
