"""Who sent a request, as its verified token says."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """`sub` is the caller's own user id where it has one; `scopes` are what the token grants."""

    sub: str
    scopes: frozenset[str]

    def may(self, *any_of: str) -> bool:
        """Whether the caller holds at least one of these scopes."""
        return not self.scopes.isdisjoint(any_of)
