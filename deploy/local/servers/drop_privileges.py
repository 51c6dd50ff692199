"""Running PostgreSQL as another user when we are root, which it refuses to be."""

import os
import pwd
import shutil
from pathlib import Path

from deploy.local.errors import StackError

OTHER_USER = "nobody"


def as_other_user(command: list[str]) -> list[str]:
    """The command as it is, or, for root, as `nobody`; it replaces itself by the command."""
    if os.geteuid() != 0:
        return command
    setpriv = shutil.which("setpriv")
    if not setpriv:
        raise StackError(
            "PostgreSQL refuses to run as root, and setpriv (package util-linux) is not here to "
            "run it as another user; install it, or run make as an ordinary user"
        )
    user = pwd.getpwnam(OTHER_USER)
    # The capability lets it reach a data directory below one that only root may enter.
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
    """Makes the file, or the directory with all in it, that user's; does nothing if not root."""
    if os.geteuid() != 0:
        return
    user = pwd.getpwnam(OTHER_USER)
    if path.stat().st_uid == user.pw_uid:
        return
    for inner in path.rglob("*"):
        os.chown(inner, user.pw_uid, user.pw_gid, follow_symlinks=False)
    # Last, so that a crash before it makes the next run do all of it again.
    os.chown(path, user.pw_uid, user.pw_gid)
