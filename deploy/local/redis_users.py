"""The users of Redis, from deploy/redis/users.acl: as an ACL file, or set on a running server."""

import hashlib
from pathlib import Path

import redis

from deploy.local.secrets import ADMIN, REDIS_ROLES, Passwords

TEMPLATE = Path(__file__).parents[1] / "redis" / "users.acl"


def acl_file(passwords: Passwords) -> str:
    """The text of the ACL file. It contains digests of the passwords, not the passwords."""
    return "\n".join(_rules(passwords)) + "\n"


def set_users(admin_url: str, passwords: Passwords) -> None:
    """Creates the services' users on a running server and leaves its other users unchanged.

    Raises redis.RedisError if the administrator lacks the permission.
    """
    with redis.Redis.from_url(admin_url, socket_timeout=5, socket_connect_timeout=5) as client:
        for rule in _rules(passwords):
            _, user, *parts = rule.split()
            if user in REDIS_ROLES:
                client.execute_command("ACL", "SETUSER", user, *parts)


def _rules(passwords: Passwords) -> list[str]:
    lines = TEMPLATE.read_text().splitlines()
    rules = " ".join(line.strip() for line in lines if not line.startswith("#"))
    for role in (ADMIN, *REDIS_ROLES):
        digest = hashlib.sha256(passwords[role].encode()).hexdigest()
        rules = rules.replace(f"#{{{role}}}", f"#{digest}")
    return ["user " + rule.strip() for rule in rules.split("user ") if rule.strip()]
