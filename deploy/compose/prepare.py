"""Writes the secrets of each container to a directory, one subdirectory per container.

Each container mounts its own subdirectory only. Passwords are created once; everything derived from
them is rewritten each time, so that the next run completes what a crash interrupted.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.local.redis_users import acl_file
from deploy.local.roles import scram_verifier, url_for
from deploy.local.secrets import ADMIN, POSTGRES_ROLES, Passwords, passwords_in
from deploy.local.tokens import ensure_keys

DATABASE: Final = "postgresql://postgres:5432/tandem"
REDIS: Final = "redis://redis:6379/0"
SECRETS_OF: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "migrate": {"database_url": (DATABASE, "tandem_migrations")},
    "command-service": {"database_url": (DATABASE, "tandem_command_service")},
    "relay": {"database_url": (DATABASE, "tandem_relay")},
    "projector": {
        "database_url": (DATABASE, "tandem_log_reader"),
        "redis_url": (REDIS, "tandem_projector"),
    },
    "query-service": {"redis_url": (REDIS, "tandem_query_service")},
}
"""Service to secret name to server and role."""


def prepare(directory: Path) -> None:
    """Writes files only, because the subdirectories may be mounted already.

    Any user in a container can read the files; the mode of the outer directory excludes other users
    of the machine.
    """
    directory.chmod(0o700)
    passwords = passwords_in(directory / "passwords.json")
    ensure_keys(private_key_in(directory), directory / "keys" / "jwks.json")
    _write(directory / "jwks" / "jwks.json", (directory / "keys" / "jwks.json").read_text())
    _write(directory / "postgres" / "password", passwords[ADMIN])
    _write(directory / "postgres" / "passwords.sql", _passwords_sql(passwords))
    _write(directory / "redis" / "users.acl", acl_file(passwords))
    _write(directory / "redis" / "password", passwords[ADMIN])
    for service, secrets in SECRETS_OF.items():
        for name, (server, role) in secrets.items():
            _write(directory / service / name, url_for(server, role, passwords))


def private_key_in(directory: Path) -> Path:
    return directory / "keys" / "private.pem"


def _passwords_sql(passwords: Passwords) -> str:
    """Verifiers instead of passwords, so that no server log contains passwords."""
    return "".join(
        f"ALTER ROLE {role} PASSWORD '{scram_verifier(passwords[role])}';\n"
        for role in POSTGRES_ROLES
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o444)
    path.parent.chmod(0o755)
