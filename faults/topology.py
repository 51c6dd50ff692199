"""The number of servers and processes of a system."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Topology:
    """`redis_primaries`: those of a Redis Cluster, each with a replica; 0: a single Redis."""

    brokers: int = 1
    redis_primaries: int = 0
    replicas_per_service: int = 1


SINGLE: Final = Topology()
REPLICATED: Final = Topology(brokers=3, redis_primaries=3, replicas_per_service=2)
