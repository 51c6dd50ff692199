"""The directory of a local stack, `.tandem/` in the clone: its paths, its state, its lock."""

import fcntl
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from deploy.local.errors import StackError
from deploy.local.secrets import write_private

ROOT = Path(__file__).resolve().parents[2]
# The operating system allows 103 to 107 bytes; supervisord temporarily appends a dot and a pid.
MAX_SOCKET_PATH_BYTES = 90


@dataclass(frozen=True, slots=True)
class Home:
    """The paths below one directory, which may not exist yet."""

    directory: Path

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def secrets(self) -> Path:
        return self.directory / "secrets.json"

    @property
    def private_key(self) -> Path:
        return self.directory / "keys" / "private.pem"

    @property
    def jwks(self) -> Path:
        return self.directory / "jwks.json"

    @property
    def env(self) -> Path:
        return self.directory / "env"

    @property
    def supervisor_config(self) -> Path:
        return self.directory / "supervisord.conf"

    @property
    def supervisor_pid(self) -> Path:
        return self.directory / "supervisord.pid"

    @property
    def supervisor_socket(self) -> Path:
        """In the directory, or in /tmp if the path would be too long for a socket."""
        here = self.directory / "supervisor.sock"
        if len(os.fsencode(here)) <= MAX_SOCKET_PATH_BYTES:
            return here
        digest = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"tandem-{os.geteuid()}" / f"{digest}.sock"

    def load_state(self) -> dict[str, Any]:
        """What the last `up` saved: `ports` by process name, `external` servers by setting."""
        path = self.directory / "stack.json"
        try:
            state: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:
            state = {}
        except ValueError as error:
            raise StackError(f"{path} is corrupt ({error}); delete it") from error
        return {"ports": {}, "external": {}} | state

    def save_state(self, state: dict[str, Any]) -> None:
        write_private(self.directory / "stack.json", json.dumps(state, indent=2) + "\n")

    def create_directories(self) -> None:
        """Create the directories, accessible to the owner only."""
        for directory in (self.directory, self.data, self.logs):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        socket_directory = self.supervisor_socket.parent
        if socket_directory != self.directory:
            socket_directory.mkdir(exist_ok=True, mode=0o700)
            if socket_directory.stat().st_uid != os.geteuid():
                raise StackError(
                    f"the path {self.directory} is too long for a socket, and {socket_directory} "
                    "belongs to another user; move the clone to a shorter path"
                )

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """One command changes the stack at a time, even if a command deletes the directory."""
        while True:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = self.directory / "lock"
            with path.open("w") as lock:
                _acquire(lock)
                if not path.exists() or not os.path.samestat(path.stat(), os.fstat(lock.fileno())):
                    continue
                yield
                return


def _acquire(lock: IO[str]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("tandem: waiting for another make target that changes this stack", file=sys.stderr)
        fcntl.flock(lock, fcntl.LOCK_EX)


def home_from(environ: Mapping[str, str]) -> Home:
    """The directory named by TANDEM_HOME, by default `.tandem` in the clone."""
    return Home(Path(environ.get("TANDEM_HOME") or ROOT / ".tandem").absolute())
