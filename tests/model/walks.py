"""Walks: random sequences of commands, and the values that they are filled with."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from random import Random
from typing import Any, TypeVar

Values = Sequence[Any] | Callable[[Random], Any]
Step = tuple[str, dict[str, Any]]
F = TypeVar("F", bound=Callable[..., None])
_RULES: dict[str, dict[str, Values]] = {}
_WEIGHTED: list[str] = []

# Which aggregate: mostly a live one, now and then one that is gone, or was never there.
whichever = range(12)
names = ["Ada", " Ada ", "Grace", "x" * 200, "Zoë 🍵"] * 3 + ["", " ", "x" * 201, "\0"]
emails = ["a@{}", "A@{}", "b@{}", "B@{}", "ß@{}", "SS@{}", "c@{}"] * 3 + ["", None]
_amounts = [0, 1, 99, 250, 10**9] * 3 + [-1, 10**9 + 1]
_currencies = ["EUR"] * 8 + ["USD"] * 2 + ["eur"]
prices = [{"amount": a, "currency": c} for a, c in product(_amounts, _currencies)]
stocks = [0, 1, 2, 3, 5] * 3 + [10**9, -1, 10**9 + 1]
restocks = [1, 2, 5, 10] * 3 + [10_001, 10**9, 0, 10**9 + 1]
texts = ["late", " by post ", "X-1"] * 6 + ["", "\x07"]
references = ["p-1", " p-1 ", "p-2"] * 4 + ["", "x" * 101]
# Who sends: somebody who may do all, the owner with narrow scopes, another user with them, …
senders = ["all"] * 8 + ["owner"] * 6 + ["other", "nobody", "products"]
sellers = ["all"] * 6 + ["products"] * 6 + ["owner", "nobody"]
staff = ["all"] * 10 + ["owner", "other", "products"]
# With which key, and which version: the present one, or one beside it.
keys = [None] * 12 + ["k1", "k2", "k3"]
versions = [None] * 10 + [0, 0, 0, 1, -1]
_quantities = [1] * 10 + [2] * 6 + [3, 10_000, 0, 10_001]


def lines_of_orders(rng: Random) -> list[tuple[int, int]]:
    """Which products, mostly another one on each line, and how many of each."""
    count = rng.choice([1, 1, 2, 2, 3, 0])
    products = rng.sample(whichever, count) if rng.random() < 0.9 else [rng.choice(whichever)] * 2
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
