"""All of Tandem's processes as in production, for a test to call, kill and pause."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx

from deploy.local.ports import free_ports
from deploy.local.servers.parent_death_signal import with_parent_death_signal
from deploy.local.services import LOCAL_LIMITS
from tests.support.database import Database
from tests.support.identity import AUDIENCE, ISSUER, Identity
from tests.support.servers import Kafka, Valkey
from tests.support.waiting import until

MODULES: Final[Mapping[str, tuple[str, ...]]] = {
    "command-service": ("command_service", "serve"),
    "relay": ("command_service", "relay"),
    "projector": ("projector", "run"),
    "query-service": ("query_service",),
}


class Process:
    """One of Tandem's processes."""

    def __init__(
        self, name: str, environment: Mapping[str, str], log: Path, root: Path | None = None
    ) -> None:
        """`root`: the working tree to run it from, by default this one."""
        self._root = root
        self.kind = name.rstrip("-0123456789")
        self.name = name
        self.port = free_ports(1)[0]
        self._environment = {**environment, "PORT": str(self.port), "LOG_FORMAT": "json"}
        self._log = log
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        module, *arguments = MODULES[self.kind]
        command = [sys.executable, "-m", module, *arguments]
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(
                with_parent_death_signal(command, signal.SIGKILL),
                env={"PATH": os.environ["PATH"], **self._environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self._root,
            )

    def signal(self, number: signal.Signals) -> None:
        assert self._popen is not None
        self._popen.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        """Terminates the process and returns its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        assert self._popen is not None
        return self._popen.wait(timeout=30)

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def pid(self) -> int | None:
        return self._popen.pid if self._popen is not None and self.running else None

    async def ready(self) -> None:
        async with httpx.AsyncClient() as client:

            async def is_ready() -> bool:
                assert self.running, f"{self.name} exited: {self._log.read_text()[-2000:]}"
                try:
                    return (await client.get(f"{self.url}/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

            await until(is_ready, f"{self.name} is ready", seconds=60)


class Stack:
    """One database, the servers of the test run, and the processes that the test adds."""

    def __init__(
        self, database: Database, kafka: Kafka, valkey: Valkey, identity: Identity, directory: Path
    ) -> None:
        self.database = database
        self.kafka = kafka
        self.valkey = valkey
        self.identity = identity
        self._directory = directory
        self.processes: dict[str, Process] = {}

    def add(self, name: str) -> Process:
        """Starts a process such as `relay` or `relay-2`."""
        log = self._directory / f"{name}.log"
        process = Process(name, self._environment(name.rstrip("-0123456789")), log)
        self.processes[name] = process
        process.start()
        return process

    def __getitem__(self, name: str) -> Process:
        return self.processes[name]

    async def ready(self) -> None:
        for process in self.processes.values():
            await process.ready()

    def stop(self) -> None:
        for process in self.processes.values():
            if process.running:
                process.kill()

    def logs(self) -> str:
        return "".join(log.read_text() for log in sorted(self._directory.glob("*.log")))

    def _environment(self, kind: str) -> dict[str, str]:
        callers = {
            "JWKS_URL": self.identity.jwks_url,
            "JWT_ISSUER": ISSUER,
            "JWT_AUDIENCE": AUDIENCE,
            **LOCAL_LIMITS,
        }
        kafka = {"KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers}
        match kind:
            case "command-service":
                return {"DATABASE_URL": self.database.command_service_url, **callers}
            case "relay":
                return {"DATABASE_URL": self.database.relay_url, **kafka}
            case "projector":
                redis = {"REDIS_URL": self.valkey.url("tandem_projector")}
                return {"DATABASE_URL": self.database.log_reader_url, **redis, **kafka}
            case _:
                return {"REDIS_URL": self.valkey.url("tandem_query_service"), **callers}
