"""What the person asked of `make up`, read from the environment once."""

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
"""The one setting that moves a process to another port, by its name."""

COUNT_SETTINGS = {
    "command-service": "COMMAND_SERVICES",
    "relay": "RELAYS",
    "projector": "PROJECTORS",
    "query-service": "QUERY_SERVICES",
}
MOST = 16
MOST_BROKERS = 5
LEAST_PRIMARIES = 3
"""Of a Redis Cluster: fewer could not agree on who takes a dead one's place."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How many of each service, and the ports that were asked for.

    `redis_primaries`: of a Redis Cluster; 0 is a single Redis. `redis_is_cluster` is so for one
    that is used and not started as well.
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
        service: _number(environ, setting, 1, 1, MOST)
        for service, setting in COUNT_SETTINGS.items()
    }
    ports = {
        name: _number(environ, setting, 0, 1, 65534)
        for name, setting in PORT_SETTINGS.items()
        if environ.get(setting)
    }
    primaries, is_cluster = _redis_cluster(environ)
    brokers = _number(environ, "BROKERS", 1, 1, MOST_BROKERS)
    return Settings(counts, ports, brokers, primaries, is_cluster)


def _redis_cluster(environ: Mapping[str, str]) -> tuple[int, bool]:
    """REDIS_CLUSTER is how many primaries to start; `true` or `false` for a Redis that is used."""
    text = environ.get("REDIS_CLUSTER", "").strip().lower()
    if text in ("", "0", "false"):
        return 0, False
    if text == "true":
        if not environ.get("REDIS_URL", "").strip():
            raise StackError("REDIS_CLUSTER=true is for a REDIS_URL; say how many primaries")
        return 0, True
    return _number(environ, "REDIS_CLUSTER", 0, LEAST_PRIMARIES, MOST), True


def _number(environ: Mapping[str, str], setting: str, default: int, least: int, most: int) -> int:
    text = environ.get(setting, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise StackError(f"{setting}={text} must be a number from {least} to {most}")
    return int(text)
