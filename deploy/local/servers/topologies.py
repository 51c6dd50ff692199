"""Several servers that stand for one: the brokers of a Kafka, the nodes of a Redis Cluster."""

import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from deploy.local.programs import numbered
from deploy.local.secrets import Passwords
from deploy.local.servers.kafka import Kafka, Quorum
from deploy.local.servers.valkey import Valkey

CONTROLLER = "controller"
BUS = "bus"


def kafka_names(brokers: int) -> list[str]:
    return numbered("kafka", brokers)


def redis_names(primaries: int) -> list[str]:
    """As many replicas again after the primaries; one server where there is no cluster."""
    return numbered("redis", 2 * primaries) if primaries else ["redis"]


def companions(name: str) -> list[str]:
    """What else of a server has a port of its own."""
    if name.startswith("kafka"):
        return [f"{name}-{CONTROLLER}"]
    return [f"{name}-{BUS}"] if name.startswith("redis-") else []


def kafkas(data: Path, brokers: int, ports: Mapping[str, int]) -> list[Kafka]:
    """Each shape has its own data: a broker cannot join those of another one."""
    names = kafka_names(brokers)
    controllers = [ports.get(f"{name}-{CONTROLLER}", 0) for name in names]
    if brokers == 1:
        return [Kafka(data / "kafka", ports.get("kafka", 0), controllers[0])]
    home = data / f"kafka-of-{brokers}"
    cluster = uuid.uuid5(uuid.NAMESPACE_URL, str(home.absolute()))
    quorum = Quorum(urlsafe_b64encode(cluster.bytes).decode().rstrip("="), controllers)
    return [
        Kafka(home / name, ports.get(name, 0), controller, quorum, name)
        for name, controller in zip(names, controllers, strict=True)
    ]


def valkeys(
    data: Path, primaries: int, ports: Mapping[str, int], passwords: Passwords
) -> list[Valkey]:
    """Each shape has its own data: a cluster cannot take over what a single server has."""
    if not primaries:
        return [Valkey(data / "redis", ports.get("redis", 0), passwords)]
    home = data / f"redis-of-{primaries}"
    return [
        Valkey(home / name, ports.get(name, 0), passwords, ports.get(f"{name}-{BUS}", 0), name)
        for name in redis_names(primaries)
    ]
