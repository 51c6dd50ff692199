"""How queries read Redis: few round trips, shared by all that read at the same moment."""

from collections.abc import Awaitable, Sequence
from typing import Any, NamedTuple, Protocol

import structlog

from shared.http.problems import Problem, unavailable
from shared.logging_setup import describe_error
from shared.redis.clients import REDIS_ERRORS
from shared.redis.exchange import RedisCommand

log = structlog.stdlib.get_logger(__name__)

Values = list[bytes | None]


class Reading(NamedTuple):
    """Values of keys, and replies to commands that were carried out after they were read."""

    values: Values
    replies: list[Any]


class Reader(Protocol):
    """Both raise 503 where Redis is away, loading or slow; never an absent value."""

    def get(self, keys: Sequence[str]) -> Awaitable[Values]:
        """The values of one shard's keys, all of one moment."""
        ...

    def read(
        self, keys: Sequence[str], commands: Sequence[RedisCommand] = ()
    ) -> Awaitable[Reading]:
        """The values of keys of any shards, those of one shard of one moment; then the replies."""
        ...


def unreachable(error: Exception) -> Problem:
    """What a read that failed is answered with; what should not have happened is logged."""
    if not isinstance(error, REDIS_ERRORS):
        log.error("a read of the views failed", error=describe_error(error))
    return unavailable("the views cannot be reached")
