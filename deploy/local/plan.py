"""What a stack consists of: its servers, its programs and the URLs under which they are reached."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.local.choose_ports import CONTROLLER
from deploy.local.home import Home
from deploy.local.ports import HOST
from deploy.local.programs import Program
from deploy.local.secrets import Passwords
from deploy.local.servers import Kafka, Postgres, Server, Valkey
from deploy.local.services import Service, services
from deploy.local.settings import Settings
from deploy.local.used_servers import SERVER_OF


@dataclass(frozen=True, slots=True)
class Plan:
    """`servers` are those to start; `urls` holds the settings that lead to all stores and keys."""

    home: Home
    ports: Mapping[str, int]
    servers: list[Server]
    services: list[Program]
    urls: dict[str, str]
    passwords: Passwords

    @property
    def programs(self) -> list[Program]:
        return [*(server_program(server) for server in self.servers), *self.services]

    def url_of(self, service: str) -> str:
        """Of the first one, where there are several."""
        name = service if service in self.ports else f"{service}-1"
        return f"http://{HOST}:{self.ports[name]}"


def names_of(settings: Settings, used: Mapping[str, str]) -> list[str]:
    """Of all processes to run, in the order in which they are shown."""
    servers = [server for setting, server in SERVER_OF.items() if setting not in used]
    services = ["command-service", "relay", "projector", "query-service"]
    return servers + [name for service in services for name in settings.names(service)]


def make_plan(
    home: Home,
    settings: Settings,
    used: Mapping[str, str],
    passwords: Passwords,
    ports: Mapping[str, int],
    environ: Mapping[str, str],
) -> Plan:
    postgres = Postgres(home.data / "postgres", ports.get("postgres", 0), passwords)
    kafka = Kafka(home.data / "kafka", ports.get("kafka", 0), ports.get(CONTROLLER, 0))
    valkey = Valkey(home.data / "redis", ports.get("redis", 0), passwords)
    urls = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "JWKS_URL": home.jwks.as_uri(),
        "DATABASE_URL": postgres.url(),
        "REDIS_URL": valkey.url(),
    }
    by_setting: dict[str, Server] = dict(zip(SERVER_OF, (postgres, kafka, valkey), strict=True))
    servers = [server for setting, server in by_setting.items() if setting not in used]
    plan = Plan(home, ports, servers, [], urls | dict(used), passwords)
    for service in services(urls | dict(used), passwords):
        for name in settings.names(service.name):
            plan.services.append(service_program(service, name, ports[name], environ))
    return plan


def service_program(service: Service, name: str, port: int, environ: Mapping[str, str]) -> Program:
    listens = {"HOST": HOST, "PORT": str(port)}
    command = (sys.executable, "-m", *service.command)
    return Program(name, command, port, service.environment_from(environ) | listens)


def server_program(server: Server) -> Program:
    return Program(
        server.name,
        tuple(server.command()),
        server.port,
        server.environment(),
        server.stop_signal.name.removeprefix("SIG"),
        int(server.stop_seconds),
    )
