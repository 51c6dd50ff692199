"""Says what goes on for long once in a while, not each time."""

from collections.abc import Callable


class LogThrottle:
    """True at most once in `seconds` for each subject."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._said: dict[str, float] = {}

    def now(self, subject: str) -> bool:
        """Whether it is time to say it."""
        now = self._clock()
        last = self._said.get(subject)
        if last is not None and now - last < self._seconds:
            return False
        self._said[subject] = now
        return True
