"""Factories of Redis clients: replies as bytes, timeouts everywhere, no implicit retries.

The caller closes a client with `aclose`. Creating one does no I/O.
"""

from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisError
from redis.maint_notifications import MaintNotificationsConfig

from shared.redis.cluster import Address, Cluster

CONNECT_TIMEOUT_S: Final = 2.0
REPLY_TIMEOUT_S: Final = 5.0
_PORT: Final = 6379

REDIS_ERRORS: Final = (RedisError, OSError, TimeoutError)
"""Raised if Redis is unavailable, loading, full or slow; never reported as an absent value."""


def redis_client(
    url: str,
    name: str,
    *,
    max_connections: int = 64,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    reply_timeout_s: float = REPLY_TIMEOUT_S,
    retries: int = 0,
    ca_file: str | None = None,
) -> Redis:
    """A client of `redis://user:password@host:port/0` (or `rediss://`) with the client name `name`.

    With `rediss://` the server's certificate must match the host and be issued by an authority in
    `ca_file`, or else by one that the system trusts.

    `retries` is how often a command is sent again after a lost connection, such as after a restart
    of Redis. Only the caller can decide whether that is safe.
    """
    tls: dict[str, Any] = {"ssl_ca_certs": ca_file} if ca_file else {}
    return Redis.from_url(
        url,
        **tls,
        client_name=name,
        decode_responses=False,
        max_connections=max_connections,
        socket_connect_timeout=connect_timeout_s,
        socket_timeout=reply_timeout_s,
        socket_keepalive=True,
        # With them, the client hands out connections that the server has closed.
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
        retry=Retry(NoBackoff(), retries, supported_errors=(ConnectionError,)),
    )


def redis_cluster(url: str, name: str, **options: Any) -> Cluster:
    """The cluster to which the nodes of `redis://user:password@host:port,host:port/0` belong.

    All nodes are reached with that URL's scheme and login; `options` are those of `redis_client`.
    """

    def connect(address: Address) -> Redis:
        return redis_client(_url_of(url, address), name, **options)

    return Cluster(nodes_of(url), connect)


def nodes_of(url: str) -> list[Address]:
    """The hosts and ports in the URL. Raises ValueError if it is not a Redis URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss"):
        raise ValueError("must begin with redis:// or rediss://")
    nodes = [urlsplit(f"//{node.strip()}") for node in _servers(parts.netloc).split(",")]
    if not all(node.hostname for node in nodes):
        raise ValueError("names no server, or has an extra comma")
    return [Address(node.hostname or "", node.port or _PORT) for node in nodes]


def _url_of(url: str, address: Address) -> str:
    parts = urlsplit(url)
    login, at, _ = parts.netloc.rpartition("@")
    host = f"[{address.host}]" if ":" in address.host else address.host
    return urlunsplit(parts._replace(netloc=f"{login}{at}{host}:{address.port}"))


def _servers(netloc: str) -> str:
    return netloc.rpartition("@")[2]
