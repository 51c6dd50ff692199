"""How long to wait after the n-th failure in a row."""


class Backoff:
    """`first` seconds, doubled with each failure, at most `most`."""

    def __init__(self, first: float, most: float) -> None:
        self._first, self._most = first, most
        self.failures = 0

    def failed(self) -> float:
        """Count a failure. Returns the seconds to wait."""
        self.failures += 1
        return min(self._most, self._first * 2.0 ** min(self.failures - 1, 30))

    def reset(self) -> None:
        self.failures = 0
