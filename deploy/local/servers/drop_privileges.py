"""Runs PostgreSQL as another user if this process is root, because PostgreSQL rejects root."""

import os
import pwd
import shutil
from pathlib import Path

from deploy.local.errors import StackError

OTHER_USER = "nobody"


def as_other_user(command: list[str]) -> list[str]:
    """The command, prefixed for root so that it runs as OTHER_USER; the prefix replaces itself."""
    if os.geteuid() != 0:
        return command
    setpriv = shutil.which("setpriv")
    if not setpriv:
        raise StackError(
            "PostgreSQL does not run as root, and setpriv (package util-linux), which would run "
            "it as another user, is missing; install it, or run make as an ordinary user"
        )
    user = pwd.getpwnam(OTHER_USER)
    # The capability gives access to a data directory below one that only root may enter.
    return [
        setpriv,
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        "--",
        *command,
    ]


def give_to_other_user(path: Path) -> None:
    """Changes the owner of the file or directory tree to that user; does nothing if not root."""
    if os.geteuid() != 0:
        return
    user = pwd.getpwnam(OTHER_USER)
    if path.stat().st_uid == user.pw_uid:
        return
    for inner in path.rglob("*"):
        os.chown(inner, user.pw_uid, user.pw_gid, follow_symlinks=False)
    # Last, so that after a crash the next run starts over.
    os.chown(path, user.pw_uid, user.pw_gid)
