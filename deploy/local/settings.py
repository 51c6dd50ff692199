"""What the person asked of `make up`, read from the environment once."""

from collections.abc import Mapping
from dataclasses import dataclass

from deploy.local.errors import StackError
from deploy.local.programs import numbered

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


@dataclass(frozen=True, slots=True)
class Settings:
    """How many of each service, and the ports that were asked for."""

    counts: Mapping[str, int]
    ports: Mapping[str, int]

    def names(self, service: str) -> list[str]:
        return numbered(service, self.counts[service])


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
    return Settings(counts, ports)


def _number(environ: Mapping[str, str], setting: str, default: int, least: int, most: int) -> int:
    text = environ.get(setting, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise StackError(f"{setting}={text} must be a number from {least} to {most}")
    return int(text)
