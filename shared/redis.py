"""A thin factory of Redis clients: answers as bytes, bounded waits, nothing retried unseen.

Whoever gets a client closes it with `aclose`. Making one does no I/O.
"""

from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisError
from redis.maint_notifications import MaintNotificationsConfig

CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 5.0

# What a caller sees when Redis is away, loading, full or slow. Never an absent value.
REDIS_DOWN: Final = (RedisError, OSError, TimeoutError)


def redis_client(
    url: str,
    name: str,
    *,
    max_connections: int = 64,
    connect_seconds: float = CONNECT_SECONDS,
    answer_seconds: float = ANSWER_SECONDS,
    again: int = 0,
) -> Redis:
    """A client of `redis://user:password@host:port/0` (or `rediss://`) that calls itself `name`.

    A command that fails is not sent again unless the caller, who knows whether that is safe, says
    how often: `again` is for connections that were lost, as all are when Redis restarts.
    """
    return Redis.from_url(
        url,
        client_name=name,
        decode_responses=False,
        max_connections=max_connections,
        socket_connect_timeout=connect_seconds,
        socket_timeout=answer_seconds,
        socket_keepalive=True,
        # With them, the client hands out connections that the server has closed meanwhile.
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
        retry=Retry(NoBackoff(), again, supported_errors=(ConnectionError,)),
    )
