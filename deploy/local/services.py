"""The four services: the command and environment of each, with its own role's credentials."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic_settings import BaseSettings

from command_service.relay.settings import RelaySettings
from command_service.settings import MigrateSettings, ServeSettings
from deploy.local.roles import url_for
from deploy.local.secrets import Passwords
from deploy.local.tokens import AUDIENCE, ISSUER
from projector.settings import ProjectorSettings
from query_service.settings import QuerySettings

LOCAL_LIMITS: Final[Mapping[str, str]] = {
    "RATE_LIMIT": "100000",
    "ADDRESS_RATE_LIMIT": "100000",
    "MAX_CONNECTIONS_PER_ADDRESS": "4096",
    "MAX_WAITING_READS_PER_CALLER": "1000",
}
"""On one machine all clients have one address, and often one caller: below 2,000 requests per
second, whatever they cost, the response is never 429.
"""


@dataclass(frozen=True, slots=True)
class Service:
    """`command` is what follows `python -m`; `settings` defines the settings that it reads."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    settings: type[BaseSettings]

    def environment_from(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Its environment here, and the other settings that it reads from `environ`."""
        readable = sorted(field.upper() for field in self.settings.model_fields)
        others = {setting: environ[setting] for setting in readable if environ.get(setting)}
        limits = {name: limit for name, limit in LOCAL_LIMITS.items() if name in readable}
        return limits | others | {"LOG_FORMAT": "json"} | dict(self.environment)


def migration(urls: Mapping[str, str], passwords: Passwords) -> Service:
    """The migration, which runs before the services start."""
    url = url_for(urls["DATABASE_URL"], "tandem_migrations", passwords)
    return Service(
        "migrate", ("command_service", "migrate"), {"DATABASE_URL": url}, MigrateSettings
    )


def services(
    urls: Mapping[str, str], passwords: Passwords, topics: Mapping[str, str]
) -> list[Service]:
    """In display order. `urls` carry the administrator's credentials; `topics` are the relay's
    settings for new topics.
    """
    kafka = {"KAFKA_BOOTSTRAP_SERVERS": urls["KAFKA_BOOTSTRAP_SERVERS"]}
    tokens = {"JWKS_URL": urls["JWKS_URL"], "JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE}

    def database(role: str) -> dict[str, str]:
        return {"DATABASE_URL": url_for(urls["DATABASE_URL"], role, passwords)}

    def views(role: str) -> dict[str, str]:
        cluster = "false" if urls["REDIS_CLUSTER"] == "false" else "true"
        return {
            "REDIS_URL": url_for(urls["REDIS_URL"], role, passwords),
            "REDIS_CLUSTER": cluster,
        }

    serving = database("tandem_command_service") | tokens
    relaying = database("tandem_relay") | kafka | dict(topics)
    projecting = kafka | views("tandem_projector") | database("tandem_log_reader")
    reading = views("tandem_query_service") | tokens
    return [
        Service("command-service", ("command_service", "serve"), serving, ServeSettings),
        Service("relay", ("command_service", "relay"), relaying, RelaySettings),
        Service("projector", ("projector", "run"), projecting, ProjectorSettings),
        Service("query-service", ("query_service",), reading, QuerySettings),
    ]
