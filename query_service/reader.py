"""The interface through which queries read Redis, implemented for a single Redis and a cluster."""

from collections.abc import Awaitable, Sequence
from typing import Any, NamedTuple, Protocol

import structlog
from redis.exceptions import ResponseError

from shared.http.problems import Problem, unavailable
from shared.logging_setup import describe_error
from shared.redis.clients import REDIS_ERRORS
from shared.redis.exchange import RedisCommand

log = structlog.stdlib.get_logger(__name__)

Values = list[bytes | None]


class Reading(NamedTuple):
    """The values of keys, and the replies to commands that were executed after reading them."""

    values: Values
    replies: list[Any]


class Reader(Protocol):
    """Concurrent reads share round trips.

    Both methods raise 503 if Redis is unavailable, loading or slow; they never report an absent
    value instead.
    """

    def get(self, keys: Sequence[str]) -> Awaitable[Values]:
        """The values of one shard's keys, read atomically."""
        ...

    def read(
        self, keys: Sequence[str], commands: Sequence[RedisCommand] = ()
    ) -> Awaitable[Reading]:
        """The values of keys of any shards, read atomically per shard; then the commands' replies.

        The commands only read, and each has keys of one shard, the first of them right after its
        name.
        """
        ...


def is_unavailable(error: Exception) -> bool:
    """Whether Redis did not reply, so that further requests would wait as well."""
    return isinstance(error, REDIS_ERRORS) and not isinstance(error, ResponseError)


def to_problem(error: Exception) -> Problem:
    """The 503 for a failed read; unexpected errors are logged."""
    if not isinstance(error, REDIS_ERRORS):
        log.error("view_read_failed", error=describe_error(error))
    return unavailable("the views are unavailable")
