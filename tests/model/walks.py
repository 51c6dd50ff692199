"""Walks: random sequences of commands with random arguments."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from random import Random
from typing import Any, TypeVar

Values = Sequence[Any] | Callable[[Random], Any]
Step = tuple[str, dict[str, Any]]
F = TypeVar("F", bound=Callable[..., None])
_RULES: dict[str, dict[str, Values]] = {}
_WEIGHTED: list[str] = []

# The target: mostly an active aggregate, sometimes one that is retired, erased or missing.
target_numbers = range(12)
names = ["Ada", " Ada ", "Grace", "x" * 200, "Zoë 🍵"] * 3 + ["", " ", "x" * 201, "\0"]
emails = ["a@{}", "A@{}", "b@{}", "B@{}", "ß@{}", "SS@{}", "c@{}"] * 3 + ["", None]
_amounts = [0, 1, 99, 250, 10**9] * 3 + [-1, 10**9 + 1]
_currencies = ["EUR"] * 8 + ["USD"] * 2 + ["eur"]
prices = [{"amount": a, "currency": c} for a, c in product(_amounts, _currencies)]
stocks = [0, 1, 2, 3, 5] * 3 + [10**9, -1, 10**9 + 1]
restocks = [1, 2, 5, 10] * 3 + [10_001, 10**9, 0, 10**9 + 1]
texts = ["late", " by post ", "X-1"] * 6 + ["", "\x07"]
references = ["p-1", " p-1 ", "p-2"] * 4 + ["", "x" * 101]
# The caller: with all scopes, the owner or another user with own scopes, or with no scope.
senders = ["all"] * 8 + ["owner"] * 6 + ["other", "unscoped", "products"]
sellers = ["all"] * 6 + ["products"] * 6 + ["owner", "unscoped"]
staff = ["all"] * 10 + ["owner", "other", "products"]
# The idempotency key, and the offset of If-Match to the current version.
keys = [None] * 12 + ["k1", "k2", "k3"]
versions = [None] * 10 + [0, 0, 0, 1, -1]
_quantities = [1] * 10 + [2] * 6 + [3, 10_000, 0, 10_001]


def lines_of_orders(rng: Random) -> list[tuple[int, int]]:
    """Product numbers, mostly distinct, and quantities."""
    count = rng.choice([1, 1, 2, 2, 3, 0])
    products = (
        rng.sample(target_numbers, count)
        if rng.random() < 0.9
        else [rng.choice(target_numbers)] * 2
    )
    return [(product, rng.choice(_quantities)) for product in products]


def rule(weight: int = 1, **arguments: Values) -> Callable[[F], F]:
    """A step of a walk; one of twice the weight is twice as likely."""

    def register(step: F) -> F:
        _RULES[step.__name__] = arguments
        _WEIGHTED.extend([step.__name__] * weight)
        return step

    return register


def walk(seed: int, steps: int) -> Iterator[Step]:
    """The same steps for the same seed: names of methods, and their arguments."""
    rng = Random(seed)
    for _ in range(steps):
        name = rng.choice(_WEIGHTED)
        yield name, {field: _draw(rng, values) for field, values in _RULES[name].items()}


def _draw(rng: Random, values: Values) -> Any:
    return values(rng) if callable(values) else rng.choice(values)
