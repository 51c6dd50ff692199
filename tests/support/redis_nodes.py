"""A Redis Cluster of real servers: primaries, replicas, and the location of shards."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from redis.crc import key_slot

from deploy.local.ports import free_ports
from deploy.local.redis_cluster import form_cluster
from deploy.local.secrets import ADMIN, Passwords
from deploy.local.servers.topologies import additional_ports, create_redis_nodes, redis_node_names
from tests.support.servers import Valkey


class RedisNodes:
    """`nodes`: the initial primaries, then their initial replicas."""

    def __init__(self, directory: Path, primaries: int, passwords: Passwords) -> None:
        names = redis_node_names(primaries)
        names += [port_name for name in names for port_name in additional_ports(name)]
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.nodes: Sequence[Valkey] = create_redis_nodes(
            Valkey, directory, primaries, ports, passwords
        )

    def url(self, role: str = ADMIN) -> str:
        """The URL of the cluster, with all nodes."""
        return self.nodes[0].url(role, self.nodes[1:])

    def start(self) -> None:
        for node in self.nodes:
            node.start()
        form_cluster(self.nodes)

    def stop(self) -> None:
        for node in self.nodes:
            node.resume()
            node.kill()

    def primary_of(self, shard: str) -> Valkey:
        """According to the first running node."""
        slot = key_slot(shard.encode())
        for first, last, primary, *_ in self._slots():
            if first <= slot <= last:
                return self._at(primary[1])
        raise LookupError(f"no node has {shard}")

    def primaries(self) -> list[Valkey]:
        return [self._at(port) for port in sorted({owner[1] for _, _, owner, *_ in self._slots()})]

    def admin_of(self, shard: str) -> str:
        """The administrator's URL of the node with the shard."""
        return self.primary_of(shard).url()

    def replicated(self) -> bool:
        """Whether every primary has a replica that follows it."""
        return all(self._has_replica(node) for node in self.primaries())

    def flush(self) -> None:
        for node in self.primaries():
            with self.client(node) as client:
                client.flushall()

    @contextmanager
    def client(self, node: Valkey) -> Iterator[Any]:
        with redis.Redis.from_url(node.url(), socket_timeout=5) as client:
            yield client

    def _has_replica(self, node: Valkey) -> bool:
        try:
            with self.client(node) as client:
                info = client.info("replication")
        except redis.RedisError:  # it has just stopped or started
            return False
        replicas = [value for name, value in info.items() if name.startswith("slave")]
        return any(value["state"] == "online" for value in replicas if isinstance(value, dict))

    def _slots(self) -> list[Any]:
        for node in self.nodes:
            if node.pid is None:
                continue
            with self.client(node) as client:
                try:
                    found: list[Any] = client.execute_command("CLUSTER", "SLOTS")
                except redis.RedisError:
                    continue
                return found
        raise LookupError("no node replies")

    def _at(self, port: int) -> Valkey:
        return next(node for node in self.nodes if node.port == port)
