"""The headers of a request: access by name, for single values and for lists."""

from collections.abc import Sequence
from typing import Final

from shared.http.problems import Problem

RawHeaders = Sequence[tuple[bytes, bytes]]
_NONE: Final[list[bytes]] = []


class Headers:
    """Names are in lower case; values are bytes as sent, or text as Latin-1."""

    __slots__ = ("_names", "lines")

    def __init__(self, lines: RawHeaders = ()) -> None:
        self.lines = lines
        self._names = dict(lines)  # most requested names are absent: one lookup

    def __contains__(self, name: bytes) -> bool:
        return name in self._names

    def values(self, name: bytes) -> list[bytes]:
        """All of its lines, in order."""
        if name not in self._names:
            return _NONE
        return [value for key, value in self.lines if key == name]

    def single(self, name: bytes) -> str | None:
        """A single-valued header. Raises 400 if it was sent twice."""
        values = self.values(name)
        if len(values) > 1:
            raise Problem("malformed-request", f"{name.decode()} must not be sent more than once")
        return values[0].decode("latin-1") if values else None

    def joined(self, name: bytes) -> str | None:
        """A list-valued header: all its lines, joined by commas."""
        values = self.values(name)
        return b", ".join(values).decode("latin-1") if values else None
