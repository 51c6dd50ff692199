"""Where a local stack keeps everything that is its own: `.tandem/` in the clone."""

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
# The system's limit is 103 to 107 bytes; supervisord adds a dot and a pid while it makes it.
MAX_SOCKET_PATH_BYTES = 90


@dataclass(frozen=True, slots=True)
class Home:
    """The paths below one directory, which need not exist yet."""

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
        """In the directory, or, where that is too deep for one, in one of the user's in /tmp."""
        here = self.directory / "supervisor.sock"
        if len(os.fsencode(here)) <= MAX_SOCKET_PATH_BYTES:
            return here
        digest = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"tandem-{os.geteuid()}" / f"{digest}.sock"

    def load_state(self) -> dict[str, Any]:
        """What the last `up` chose: `ports` by process name, `used` by setting."""
        path = self.directory / "stack.json"
        try:
            known: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:
            known = {}
        except ValueError as error:
            raise StackError(f"{path} is broken ({error}); delete it") from error
        return {"ports": {}, "used": {}} | known

    def save_state(self, known: dict[str, Any]) -> None:
        write_private(self.directory / "stack.json", json.dumps(known, indent=2) + "\n")

    def make(self) -> None:
        """The directories, for the owner alone."""
        for directory in (self.directory, self.data, self.logs):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        socket_directory = self.supervisor_socket.parent
        if socket_directory != self.directory:
            socket_directory.mkdir(exist_ok=True, mode=0o700)
            if socket_directory.stat().st_uid != os.geteuid():
                raise StackError(
                    f"{self.directory} is too deep for a socket, and {socket_directory} belongs to "
                    "another user; move the clone to a shorter path"
                )

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Commands that change the stack take turns, also when one deletes the directory."""
        while True:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = self.directory / "lock"
            with path.open("w") as lock:
                wait_for_turn(lock)
                if not path.exists() or not os.path.samestat(path.stat(), os.fstat(lock.fileno())):
                    continue
                yield
                return


def wait_for_turn(lock: IO[str]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("tandem: waiting for another make that changes this stack", file=sys.stderr)
        fcntl.flock(lock, fcntl.LOCK_EX)


def home_from(environ: Mapping[str, str]) -> Home:
    """`.tandem` in the clone, or what TANDEM_HOME says."""
    return Home(Path(environ.get("TANDEM_HOME") or ROOT / ".tandem").absolute())
