"""Has `supervisord` run the programs: writes its configuration, starts it, tells it what to do."""

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

KEPT = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH")
GONE = (OSError, http.client.HTTPException)


@dataclass(frozen=True, slots=True)
class Status:
    """How a program is: `state` in supervisord's words, in lower case; pid 0 if there is none."""

    name: str
    state: str
    pid: int
    reason: str


class Supervision:
    """Talks to the supervisord of one home, which may not be running."""

    def __init__(self, home: Home, attached: bool = False) -> None:
        self.home = home
        self.attached = attached
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Asked, not concluded from a pid file, which survives a power cut."""
        try:
            self._call("getPID")
        except GONE:
            return False
        return True

    def configure(self, programs: Iterable[Program]) -> None:
        """What `start` begins with and `apply` changes to. Only the owner may read it."""
        write_private(self.home.supervisor_config, configuration(self.home, list(programs)))

    def start(self) -> None:
        """Starts supervisord, without any program running yet. In the background, or, attached:
        as a child that stops everything when we die.
        """
        self.home.supervisor_pid.unlink(missing_ok=True)
        command = [sys.executable, "-m", "supervisor.supervisord"]
        command += ["-c", str(self.home.supervisor_config)]
        environment = clean_environment(os.environ)
        if self.attached:
            command = with_parent_death_signal([*command, "--nodaemon", "--silent"], signal.SIGTERM)
            # A session of its own: Ctrl-C is for us, who stop everything in the right order.
            self._child = subprocess.Popen(
                command, cwd=ROOT, env=environment, start_new_session=True
            )
        else:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True
            )
            if done.returncode:
                said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
                # Its help follows the line that begins so.
                said.sort(key=lambda line: not line.startswith("Error"))
                raise StackError(f"supervisord did not start: {said[0]}")
        wait_for(lambda: self.is_running, 10, "supervisord did not answer after 10 s")

    def apply(self) -> None:
        """Brings a running supervisord to the configuration: stops what is gone or has changed."""
        added, changed, removed = self._call("reloadConfig")[0]
        self.stop([*changed, *removed])
        for name in [*changed, *removed]:
            self._call("removeProcessGroup", name)
        for name in [*added, *changed]:
            self._call("addProcessGroup", name)

    def statuses(self) -> dict[str, Status]:
        """By name. Raises one of GONE if there is no supervisord."""
        found = self._call("getAllProcessInfo")
        return {
            info["name"]: Status(
                info["name"], info["statename"].lower(), info["pid"], info["spawnerr"]
            )
            for info in found
        }

    def begin(self, name: str) -> bool:
        """Starts a program that does not run; does not wait. Whether it had to be started."""
        if self.statuses()[name].state in ("running", "starting", "backoff"):
            return False
        self._call("startProcess", name, False)
        return True

    def stop(self, names: Collection[str]) -> None:
        """Stops them all at the same time and waits until they are gone."""
        present = self.statuses()
        for name in names:
            if name in present and present[name].state not in ("stopped", "exited", "fatal"):
                try:
                    self._call("stopProcess", name, False)
                except xmlrpc.client.Fault:
                    continue  # it ended in the meantime
        over = {"stopped", "exited", "fatal", "unknown"}
        wait_for(
            lambda: all(
                status.state in over for name, status in self.statuses().items() if name in names
            ),
            30,
            f"{', '.join(names)} did not stop within 30 s",
        )

    def shut_down(self) -> None:
        """Ends supervisord and waits until it is gone."""
        pid: int = self._call("getPID")
        process = psutil.Process(pid) if psutil.pid_exists(pid) else None
        self._call("shutdown")
        if self._child:
            self._child.wait(30)
        elif process:
            psutil.wait_procs([process], timeout=30)
        self.home.supervisor_socket.unlink(missing_ok=True)

    def _call(self, method: str, *arguments: Any) -> Any:
        # A transport for each call: one that met no supervisord would never recover.
        transport = SupervisorTransport(None, None, f"unix://{self.home.supervisor_socket}")
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as server:
            return getattr(server.supervisor, method)(*arguments)


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What any process needs. The rest it gets from its configuration alone: not another's rights,
    and not a setting that was there when supervisord was started.
    """
    return {name: environ[name] for name in KEPT if name in environ}


def wait_for(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise StackError(otherwise)
        time.sleep(0.05)
