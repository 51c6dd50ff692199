"""The caller of a request, from its verified token."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """`sub` is the caller's user id if it has one; `scopes` are those that the token grants."""

    sub: str
    scopes: frozenset[str]

    def may(self, *any_of: str) -> bool:
        """Whether the caller has at least one of these scopes."""
        return not self.scopes.isdisjoint(any_of)
