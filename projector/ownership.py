"""Which shards this process looks after: those the group gave it, or all while there is none."""

from collections.abc import Callable, Iterable


class Ownership:
    """A generation ends at each rebalance; what was begun in one must not touch the next."""

    def __init__(self, every: Iterable[str], patience: float, clock: Callable[[], float]) -> None:
        """`patience`: seconds without any assignment after which Kafka counts as not there."""
        self._every = frozenset(every)
        self._patience = patience
        self._clock = clock
        self._assigned: frozenset[str] | None = None
        self._since = clock()
        self.generation = 0

    @property
    def assigned(self) -> frozenset[str]:
        return self._assigned or frozenset()

    @property
    def known(self) -> bool:
        """Whether the group has told this process which shards are its own, maybe none."""
        return self._assigned is not None

    def assign(self, shards: Iterable[str]) -> int:
        """Returns the new generation."""
        self._assigned = frozenset(shards) & self._every
        self.generation += 1
        return self.generation

    def revoke(self) -> frozenset[str]:
        """Returns what was assigned."""
        revoked = self.assigned
        self._assigned = None
        self._since = self._clock()
        self.generation += 1
        return revoked

    def watched(self) -> frozenset[str]:
        """The shards to look at. Without Kafka every process keeps all of them up to the log.

        They then do the same work, and compare-and-set sees to it that it counts once.
        """
        if self._assigned is not None:
            return self._assigned
        waited = self._clock() - self._since
        return self._every if waited > self._patience else frozenset()
