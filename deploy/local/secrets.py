"""The generated passwords of the local servers: one per role, in a private file."""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

ADMIN = "tandem_admin"
POSTGRES_ROLES = (
    "tandem_migrations",
    "tandem_command_service",
    "tandem_relay",
    "tandem_log_reader",
)
REDIS_ROLES = ("tandem_projector", "tandem_query_service")

Passwords = Mapping[str, str]
"""Role name to password; the administrator of both servers is `tandem_admin`."""


def new_passwords() -> dict[str, str]:
    return {role: secrets.token_urlsafe(24) for role in (ADMIN, *POSTGRES_ROLES, *REDIS_ROLES)}


def passwords_in(path: Path) -> dict[str, str]:
    """The passwords in the file, which is created or completed if necessary."""
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    passwords = new_passwords() | known
    if passwords != known:
        write_private(path, json.dumps(passwords, indent=2) + "\n")
    return passwords


def write_private(path: Path, text: str) -> None:
    """Replaces the file atomically, readable by its owner only; a crash keeps the old file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
