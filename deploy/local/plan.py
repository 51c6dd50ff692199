"""The plan of a stack: its servers, its programs and the URLs of all of them."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.local.external_servers import SERVER_OF
from deploy.local.home import Home
from deploy.local.ports import HOST
from deploy.local.programs import Program
from deploy.local.secrets import Passwords
from deploy.local.servers import Kafka, Postgres, Server, Valkey
from deploy.local.servers.kafka import in_sync_of, replicas_of
from deploy.local.servers.topologies import (
    broker_names,
    create_brokers,
    create_redis_nodes,
    redis_node_names,
)
from deploy.local.services import Service, services
from deploy.local.settings import Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """`servers`: those to start. `urls`: the settings with the addresses of all stores and keys."""

    home: Home
    ports: Mapping[str, int]
    servers: list[Server]
    services: list[Program]
    urls: dict[str, str]
    passwords: Passwords

    @property
    def redis_nodes(self) -> list[Valkey]:
        """The nodes of a Redis Cluster to start; empty for a single or an external Redis."""
        return [s for s in self.servers if isinstance(s, Valkey) and s.bus_port]

    @property
    def redis_is_cluster(self) -> bool:
        return self.urls["REDIS_CLUSTER"] != "false"

    @property
    def programs(self) -> list[Program]:
        return [*(server_program(server) for server in self.servers), *self.services]

    def url_of(self, service: str) -> str:
        """The URL of the service's first process."""
        name = service if service in self.ports else f"{service}-1"
        return f"http://{HOST}:{self.ports[name]}"


def process_names(settings: Settings, external: Mapping[str, str]) -> list[str]:
    """The names of all processes to run, in display order."""
    names = {
        "postgres": ["postgres"],
        "kafka": broker_names(settings.brokers),
        "redis": redis_node_names(settings.redis_primaries),
    }
    servers = [
        name
        for setting, kind in SERVER_OF.items()
        if setting not in external
        for name in names[kind]
    ]
    services = ["command-service", "relay", "projector", "query-service"]
    return servers + [name for service in services for name in settings.names(service)]


def make_plan(
    home: Home,
    settings: Settings,
    external: Mapping[str, str],
    passwords: Passwords,
    ports: Mapping[str, int],
    environ: Mapping[str, str],
) -> Plan:
    postgres = Postgres(home.data / "postgres", ports.get("postgres", 0), passwords)
    brokers = create_brokers(Kafka, home.data, settings.brokers, ports)
    nodes = create_redis_nodes(Valkey, home.data, settings.redis_primaries, ports, passwords)
    cluster = str(settings.redis_primaries or str(settings.redis_is_cluster).lower())
    urls = {
        "KAFKA_BOOTSTRAP_SERVERS": ",".join(broker.address for broker in brokers),
        "JWKS_URL": home.jwks.as_uri(),
        "DATABASE_URL": postgres.url(),
        "REDIS_URL": nodes[0].url(others=nodes[1:]),
        "REDIS_CLUSTER": cluster,
    } | dict(external)
    by_setting: dict[str, list[Server]] = dict(
        zip(SERVER_OF, ([postgres], [*brokers], [*nodes]), strict=True)
    )
    servers = [
        server
        for setting, group in by_setting.items()
        if setting not in external
        for server in group
    ]
    plan = Plan(home, ports, servers, [], urls, passwords)
    for service in services(urls, passwords, _topic_settings(settings, external)):
        for name in settings.names(service.name):
            plan.services.append(service_program(service, name, ports[name], environ))
    return plan


def _topic_settings(settings: Settings, external: Mapping[str, str]) -> dict[str, str]:
    """The relay's settings for new topics; an external Kafka uses its own defaults."""
    if "KAFKA_BOOTSTRAP_SERVERS" in external:
        return {}
    return {
        "REPLICATION_FACTOR": str(replicas_of(settings.brokers)),
        "MIN_INSYNC_REPLICAS": str(in_sync_of(settings.brokers)),
    }


def service_program(service: Service, name: str, port: int, environ: Mapping[str, str]) -> Program:
    address = {"HOST": HOST, "PORT": str(port)}
    command = (sys.executable, "-m", *service.command)
    return Program(name, command, port, service.environment_from(environ) | address)


def server_program(server: Server) -> Program:
    return Program(
        server.name,
        tuple(server.command()),
        server.port,
        server.environment(),
        server.stop_signal.name.removeprefix("SIG"),
        int(server.stop_seconds),
    )
