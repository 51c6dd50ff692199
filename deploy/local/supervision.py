"""Controls the `supervisord` that runs the programs, through its configuration and XML-RPC."""

import http.client
import os
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psutil
from supervisor.xmlrpc import SupervisorTransport

from deploy.local.errors import StackError
from deploy.local.home import ROOT, Home
from deploy.local.programs import Program
from deploy.local.secrets import write_private
from deploy.local.servers.parent_death_signal import with_parent_death_signal
from deploy.local.supervisor_config import configuration

KEPT_VARIABLES = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH")
UNREACHABLE = (OSError, http.client.HTTPException)


@dataclass(frozen=True, slots=True)
class Status:
    """`state`: supervisord's state name in lower case; `pid`: 0 if there is no process."""

    name: str
    state: str
    pid: int
    reason: str


class Supervision:
    """The supervisord of one home, which may not be running."""

    def __init__(self, home: Home, attached: bool = False) -> None:
        self.home = home
        self.attached = attached
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """By a request to supervisord; a pid file may be left over from a power failure."""
        try:
            self._call("getPID")
        except UNREACHABLE:
            return False
        return True

    def configure(self, programs: Iterable[Program]) -> None:
        """Writes the configuration that `start` and `apply` use, readable by its owner only."""
        write_private(self.home.supervisor_config, configuration(self.home, list(programs)))

    def start(self) -> None:
        """Starts supervisord without any program: in the background, or, if attached, as a child
        that stops everything when this process ends.
        """
        self.home.supervisor_pid.unlink(missing_ok=True)
        command = [sys.executable, "-m", "supervisor.supervisord"]
        command += ["-c", str(self.home.supervisor_config)]
        environment = clean_environment(os.environ)
        if self.attached:
            command = with_parent_death_signal([*command, "--nodaemon", "--silent"], signal.SIGTERM)
            # In a new session: Ctrl-C must reach this process only, which stops all in order.
            self._child = subprocess.Popen(
                command, cwd=ROOT, env=environment, start_new_session=True
            )
        else:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True
            )
            if done.returncode:
                lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
                # The error line precedes the usage text.
                lines.sort(key=lambda line: not line.startswith("Error"))
                raise StackError(f"supervisord did not start: {lines[0]}")
        wait_for(lambda: self.is_running, 10, "supervisord did not respond within 10 s")

    def apply(self) -> None:
        """Applies the configuration to a running supervisord; stops programs that it changes."""
        added, changed, removed = self._call("reloadConfig")[0]
        self.stop([*changed, *removed])
        for name in [*changed, *removed]:
            self._call("removeProcessGroup", name)
        for name in [*added, *changed]:
            self._call("addProcessGroup", name)

    def statuses(self) -> dict[str, Status]:
        """Statuses by program name. Raises one of UNREACHABLE if supervisord does not run."""
        found = self._call("getAllProcessInfo")
        return {
            info["name"]: Status(
                info["name"], info["statename"].lower(), info["pid"], info["spawnerr"]
            )
            for info in found
        }

    def start_program(self, name: str) -> bool:
        """Starts a program without waiting. False if it was already running."""
        if self.statuses()[name].state in ("running", "starting", "backoff"):
            return False
        self._call("startProcess", name, False)
        return True

    def stop(self, names: Collection[str]) -> None:
        """Stops the programs concurrently and waits until they have stopped."""
        present = self.statuses()
        for name in names:
            if name in present and present[name].state not in ("stopped", "exited", "fatal"):
                try:
                    self._call("stopProcess", name, False)
                except xmlrpc.client.Fault:
                    continue  # it exited in the meantime
        final_states = {"stopped", "exited", "fatal", "unknown"}
        wait_for(
            lambda: all(
                status.state in final_states
                for name, status in self.statuses().items()
                if name in names
            ),
            30,
            f"{', '.join(names)} did not stop within 30 s",
        )

    def shut_down(self) -> None:
        """Stops supervisord and waits until it has exited."""
        pid: int = self._call("getPID")
        process = psutil.Process(pid) if psutil.pid_exists(pid) else None
        self._call("shutdown")
        if self._child:
            self._child.wait(30)
        elif process:
            psutil.wait_procs([process], timeout=30)
        self.home.supervisor_socket.unlink(missing_ok=True)

    def _call(self, method: str, *arguments: Any) -> Any:
        # A new transport for each call: after a failed connection one would never recover.
        transport = SupervisorTransport(None, None, f"unix://{self.home.supervisor_socket}")
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as server:
            return getattr(server.supervisor, method)(*arguments)


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that every process needs. All others come from its configuration only: neither
    another role's credentials nor settings from the environment of supervisord.
    """
    return {name: environ[name] for name in KEPT_VARIABLES if name in environ}


def wait_for(condition: Callable[[], bool], timeout_s: float, message: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise StackError(message)
        time.sleep(0.05)
