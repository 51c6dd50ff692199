"""A local server: its data directory, its command line and its readiness check."""

import signal
from abc import ABC, abstractmethod
from pathlib import Path

from deploy.local.ports import HOST


class Server(ABC):
    """One server with its data directory and its port on 127.0.0.1.

    `prepare` is idempotent: if the process dies in it, the next call completes it. The data is
    kept when the server stops or crashes.
    """

    name: str
    stop_signal = signal.SIGTERM
    stop_seconds = 10.0
    """How long a stop may take before the server is killed."""

    def __init__(self, data_dir: Path, port: int) -> None:
        self.data_dir = data_dir.absolute()
        self.port = port

    @abstractmethod
    def prepare(self) -> None:
        """Creates the data directory and the configuration if they are missing."""

    @abstractmethod
    def command(self) -> list[str]:
        """The command line. It replaces itself with the server, so its pid is the server's."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the server responds. Never raises; takes a few seconds at most."""

    def environment(self) -> dict[str, str]:
        """Environment variables that the process needs besides PATH."""
        return {}

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"
