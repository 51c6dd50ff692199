"""How many of everything a world has."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Shape:
    """`redis_primaries`: of a Redis Cluster, each with a replica; 0 is one Redis."""

    brokers: int = 1
    redis_primaries: int = 0
    of_each: int = 1


SMALL: Final = Shape()
BIG: Final = Shape(brokers=3, redis_primaries=3, of_each=2)
