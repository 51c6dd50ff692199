"""Servers of several processes: the brokers of a Kafka cluster, the nodes of a Redis Cluster."""

import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from deploy.local.programs import numbered_names
from deploy.local.secrets import Passwords
from deploy.local.servers.kafka import Kafka, Quorum
from deploy.local.servers.valkey import Valkey

CONTROLLER = "controller"
BUS = "bus"

Broker = TypeVar("Broker", bound=Kafka)
Node = TypeVar("Node", bound=Valkey)


def broker_names(brokers: int) -> list[str]:
    return numbered_names("kafka", brokers)


def redis_node_names(primaries: int) -> list[str]:
    """The primaries, then one replica for each; a single server if there are no primaries."""
    return numbered_names("redis", 2 * primaries) if primaries else ["redis"]


def additional_ports(name: str) -> list[str]:
    """The names of the ports that a server needs besides the one for clients."""
    if name.startswith("kafka"):
        return [f"{name}-{CONTROLLER}"]
    return [f"{name}-{BUS}"] if name.startswith("redis-") else []


def create_brokers(
    broker: type[Broker], data: Path, brokers: int, ports: Mapping[str, int]
) -> list[Broker]:
    """Each topology has its own data: a broker cannot join another topology's cluster."""
    names = broker_names(brokers)
    controllers = [ports.get(f"{name}-{CONTROLLER}", 0) for name in names]
    if brokers == 1:
        return [broker(data / "kafka", ports.get("kafka", 0), controllers[0])]
    home = data / f"kafka-of-{brokers}"
    cluster = uuid.uuid5(uuid.NAMESPACE_URL, str(home.absolute()))
    quorum = Quorum(urlsafe_b64encode(cluster.bytes).decode().rstrip("="), controllers)
    return [
        broker(home / name, ports.get(name, 0), controller, quorum, name)
        for name, controller in zip(names, controllers, strict=True)
    ]


def create_redis_nodes(
    node: type[Node], data: Path, primaries: int, ports: Mapping[str, int], passwords: Passwords
) -> list[Node]:
    """Each topology has its own data: a cluster cannot read a single server's data."""
    if not primaries:
        return [node(data / "redis", ports.get("redis", 0), passwords)]
    home = data / f"redis-of-{primaries}"
    return [
        node(home / name, ports.get(name, 0), passwords, ports.get(f"{name}-{BUS}", 0), name)
        for name in redis_node_names(primaries)
    ]
