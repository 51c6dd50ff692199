"""A server's process in a test's hands: started, stopped, killed, paused, resumed."""

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

import psutil

from deploy.local.errors import StackError
from deploy.local.ports import HOST
from deploy.local.servers.parent_death_signal import dying_with_parent

POLL_SECONDS = 0.03


class Server(ABC):
    """One server with its data directory and its port on 127.0.0.1.

    `prepare` is idempotent and leaves nothing half made if the process dies in it. `start` may be
    called again after `stop` or `kill`: the data is still there.
    """

    name: str
    stop_signal = signal.SIGTERM
    stop_seconds = 10.0

    def __init__(self, data_dir: Path, port: int) -> None:
        self.data_dir = data_dir.absolute()
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Makes the data directory and the configuration if they are not there."""

    @abstractmethod
    def command(self) -> list[str]:
        """The command line; it replaces itself by the server, so its pid is the server's."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it answers. Never raises, takes a few seconds at most."""

    def environment(self) -> dict[str, str]:
        """What the process needs in its environment besides PATH."""
        return {}

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def log_file(self) -> Path:
        """Where `start` writes what the server says."""
        return self.data_dir.with_name(self.data_dir.name + ".log")

    @property
    def pid(self) -> int | None:
        """Of the process that `start` made, while it runs."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process else None

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Returns when it answers; raises StackError when it ended or the time is up (seconds)."""
        deadline = time.monotonic() + timeout
        while not self.is_ready():
            if self._process is not None and self._process.poll() is not None:
                raise StackError(f"{self.name} ended at once: {self.last_words()}")
            if time.monotonic() > deadline:
                raise StackError(
                    f"{self.name} was not ready after {timeout:.0f} s: {self.log_file}"
                )
            time.sleep(POLL_SECONDS)

    def start(self, timeout: float = 60.0) -> None:
        """Prepares it, runs it as a child in a session of its own, waits until it is ready.

        On Linux it dies with the thread that calls this, so call it from the main one.
        """
        if self.pid is not None:
            return
        self.launch()
        try:
            self.wait_ready(timeout)
        except BaseException:
            self.kill()
            raise

    def launch(self) -> None:
        """Prepares and runs it as `start` does, without waiting: several may need each other."""
        self.prepare()
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                dying_with_parent(self.command(), self.stop_signal),
                env={"PATH": os.environ.get("PATH", os.defpath)} | self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self) -> None:
        """An orderly end; what is still there after `stop_seconds` is killed."""
        if self._process is None or self._process.poll() is not None:
            return
        self.resume()
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL for it and all that it started, as in a power cut; returns when all are gone."""
        if self._process is None:
            return
        family = self._family()
        for member in family:
            _send(member, signal.SIGKILL)
        psutil.wait_procs(family, timeout=10)
        self._process.wait(10)

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and answers nothing."""
        for member in self._family():
            _send(member, signal.SIGSTOP)

    def resume(self) -> None:
        for member in self._family():
            _send(member, signal.SIGCONT)

    def last_words(self) -> str:
        """The last line that it wrote, and where the others are."""
        lines = self.log_file.read_text(errors="replace").split("\n")
        said = [line for line in lines if line.strip()]
        return f"{said[-1].strip() if said else 'it said nothing'} ({self.log_file})"

    def _family(self) -> list[psutil.Process]:
        # A process group is not enough: PostgreSQL's children have sessions of their own.
        if self.pid is None:
            return []
        try:
            parent = psutil.Process(self.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
