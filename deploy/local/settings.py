"""The settings of `make up`, read from the environment once."""

from collections.abc import Mapping
from dataclasses import dataclass

from deploy.local.errors import StackError
from deploy.local.programs import numbered_names

PORT_SETTINGS = {
    "command-service": "COMMAND_PORT",
    "query-service": "QUERY_PORT",
    "postgres": "POSTGRES_PORT",
    "kafka": "KAFKA_PORT",
    "redis": "REDIS_PORT",
}
"""Process name to the setting of its port."""

COUNT_SETTINGS = {
    "command-service": "COMMAND_SERVICES",
    "relay": "RELAYS",
    "projector": "PROJECTORS",
    "query-service": "QUERY_SERVICES",
}
MAX_PROCESSES = 16
MAX_BROKERS = 5
MIN_PRIMARIES = 3
"""Of a Redis Cluster: with fewer, a failover would find no majority."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The number of processes of each service, and the requested ports.

    `redis_primaries`: primaries of the Redis Cluster to start; 0: a single Redis.
    `redis_is_cluster`: also true for an external Redis Cluster.
    """

    counts: Mapping[str, int]
    ports: Mapping[str, int]
    brokers: int = 1
    redis_primaries: int = 0
    redis_is_cluster: bool = False

    def names(self, service: str) -> list[str]:
        return numbered_names(service, self.counts[service])


def settings_from(environ: Mapping[str, str]) -> Settings:
    counts = {
        service: _number(environ, setting, 1, 1, MAX_PROCESSES)
        for service, setting in COUNT_SETTINGS.items()
    }
    ports = {
        name: _number(environ, setting, 0, 1, 65534)
        for name, setting in PORT_SETTINGS.items()
        if environ.get(setting)
    }
    primaries, is_cluster = _redis_cluster(environ)
    brokers = _number(environ, "BROKERS", 1, 1, MAX_BROKERS)
    return Settings(counts, ports, brokers, primaries, is_cluster)


def _redis_cluster(environ: Mapping[str, str]) -> tuple[int, bool]:
    """REDIS_CLUSTER: the number of primaries to start; `true` or `false` for an external Redis."""
    text = environ.get("REDIS_CLUSTER", "").strip().lower()
    if text in ("", "0", "false"):
        return 0, False
    if text == "true":
        if not environ.get("REDIS_URL", "").strip():
            raise StackError(
                "REDIS_CLUSTER=true requires REDIS_URL; otherwise set the number of primaries"
            )
        return 0, True
    return _number(environ, "REDIS_CLUSTER", 0, MIN_PRIMARIES, MAX_PROCESSES), True


def _number(
    environ: Mapping[str, str], setting: str, default: int, minimum: int, maximum: int
) -> int:
    text = environ.get(setting, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not minimum <= int(text) <= maximum:
        raise StackError(f"{setting}={text} must be a number from {minimum} to {maximum}")
    return int(text)
