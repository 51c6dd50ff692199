"""The caller of a request, from its verified token."""

import math
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Caller:
    """`sub` is the caller's user id if it has one; `scopes` are those that the token grants.

    `expires_at` is the token's expiry in Unix time.
    """

    sub: str
    scopes: frozenset[str]
    expires_at: float = field(default=math.inf, compare=False)
