"""The local servers as child processes of a test: start, stop, kill, pause, resume."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil

from deploy.local import servers
from deploy.local.errors import StackError
from deploy.local.servers import Server
from deploy.local.servers.parent_death_signal import with_parent_death_signal

POLL_SECONDS = 0.03


class ServerProcess(Server):
    """A server that the test starts and controls; it can be restarted with its data."""

    _process: subprocess.Popen[bytes] | None = None

    @property
    def log_file(self) -> Path:
        """The server's output since its first start."""
        return self.data_dir.with_name(self.data_dir.name + ".log")

    @property
    def pid(self) -> int | None:
        """The pid of the running process, None if it does not run."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process else None

    def start(self, timeout_s: float = 60.0) -> None:
        """Launch the server and wait until it is ready.

        On Linux it dies with the thread that calls this, so call it from the main one.
        """
        if self.pid is not None:
            return
        self.launch()
        try:
            self.wait_ready(timeout_s)
        except BaseException:
            self.kill()
            raise

    def launch(self) -> None:
        """Start the server in a new session without waiting: several may depend on each other."""
        self.prepare()
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                with_parent_death_signal(self.command(), self.stop_signal),
                env={"PATH": os.environ.get("PATH", os.defpath)} | self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Wait until the server responds. Raises StackError if it exits or the timeout expires."""
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            if self._process is not None and self._process.poll() is not None:
                raise StackError(f"{self.name} exited at once: {self._last_log_line()}")
            if time.monotonic() > deadline:
                raise StackError(
                    f"{self.name} was not ready after {timeout_s:.0f} s: {self.log_file}"
                )
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stop the server; kill it if that takes longer than `stop_seconds`."""
        if self._process is None or self._process.poll() is not None:
            return
        self.resume()
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL for the server and its children, as in a power failure; wait for their exit."""
        if self._process is None:
            return
        tree = self._process_tree()
        for member in tree:
            _send(member, signal.SIGKILL)
        psutil.wait_procs(tree, timeout=10)
        self._process.wait(10)

    def pause(self) -> None:
        """SIGSTOP: the server keeps its connections and does not respond."""
        for member in self._process_tree():
            _send(member, signal.SIGSTOP)

    def resume(self) -> None:
        for member in self._process_tree():
            _send(member, signal.SIGCONT)

    def _last_log_line(self) -> str:
        lines = self.log_file.read_text(errors="replace").split("\n")
        written = [line.strip() for line in lines if line.strip()]
        return f"{written[-1] if written else 'no output'} ({self.log_file})"

    def _process_tree(self) -> list[psutil.Process]:
        # A process group is not enough: PostgreSQL's children have their own sessions.
        if self.pid is None:
            return []
        try:
            parent = psutil.Process(self.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


class Kafka(ServerProcess, servers.Kafka):
    pass


class Postgres(ServerProcess, servers.Postgres):
    pass


class Valkey(ServerProcess, servers.Valkey):
    pass


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
