"""One run of `up`: starts programs, waits until each is ready, and stops them after a failure."""

import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from deploy.local.errors import StackError
from deploy.local.log_tail import last_log_line
from deploy.local.plan import Plan
from deploy.local.ports import HOST
from deploy.local.programs import Program
from deploy.local.supervision import UNREACHABLE, Status, Supervision

READY_TIMEOUT_S = 60
READY_TIMEOUT_WITH_BROKERS_S = 180
"""If several brokers start at once, possibly on a busy machine."""
MAX_ATTEMPTS = 3
POLL_INTERVAL_S = 0.05


class Startup:
    """Calls `report` for each program that becomes ready."""

    def __init__(self, supervision: Supervision, report: Callable[[str], None]) -> None:
        self.supervision = supervision
        self._report = report
        self._started: list[str] = []
        self._ready: set[str] = set()
        self._started_supervisor = False
        self._log_sizes: dict[str, int] = {}
        self._since = time.monotonic()

    def supervise(self, plan: Plan) -> None:
        """Starts supervisord, or applies the plan to the running one."""
        running = self.supervision.is_running
        self.supervision.configure(plan.programs)
        if running:
            self.supervision.apply()
        else:
            self._started_supervisor = True
            self.supervision.start()

    def start(self, names: list[str]) -> None:
        for name in names:
            self._log_sizes[name] = _size(self.supervision, name)
            if self.supervision.start_program(name):
                self._started.append(name)

    def wait_ready(self, checks: Mapping[str, Callable[[], bool]]) -> None:
        """Waits until every check is true. Raises StackError, with the program's last log line, if
        a program keeps exiting or the timeout expires.
        """
        brokers = sum(name.startswith("kafka") for name in self.supervision.statuses())
        timeout_s = READY_TIMEOUT_WITH_BROKERS_S if brokers > 1 else READY_TIMEOUT_S
        began = time.monotonic()
        waiting, pids = dict(checks), {name: set[int]() for name in checks}
        while waiting:
            for name in [name for name, is_ready in waiting.items() if is_ready()]:
                del waiting[name]
                if name in self._started and name not in self._ready:
                    self._ready.add(name)
                    self._report(f"{name:16} ready after {time.monotonic() - self._since:.1f} s")
            statuses = self.supervision.statuses()
            for name in waiting:
                pids[name].add(statuses[name].pid)
                self._check_progress(name, statuses[name], pids[name])
                if time.monotonic() - began > timeout_s:
                    raise StackError(
                        f"{name} was not ready after {timeout_s} s: {self._last_line(name)}"
                    )
            time.sleep(POLL_INTERVAL_S)

    def _check_progress(self, name: str, status: Status, pids: set[int]) -> None:
        if len(pids - {0}) > MAX_ATTEMPTS or status.state == "fatal":
            raise StackError(f"{name} does not start: {self._last_line(name)}")

    def wait_http(self, programs: list[Program]) -> None:
        urls = {program.name: f"http://{HOST}:{program.port}/readyz" for program in programs}
        self.wait_ready({name: partial(responds, url) for name, url in urls.items()})

    def roll_back(self) -> None:
        """Stops what this run started; earlier processes keep running."""
        # A second Ctrl-C would interrupt the stop.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with suppress(*UNREACHABLE, StackError):
            if self._started_supervisor:
                stop_all(self.supervision)
            else:
                self.supervision.stop(self._started)

    def _last_line(self, name: str) -> str:
        log = self.supervision.home.logs / f"{name}.log"
        return last_log_line(log, self._log_sizes.get(name, 0))


def stop_all(supervision: Supervision) -> None:
    """Stops the services first, so that they can finish their work; then the servers."""
    names = list(supervision.statuses())
    servers = [name for name in names if name.startswith(("postgres", "kafka", "redis"))]
    supervision.stop([name for name in names if name not in servers])
    supervision.stop(servers)
    supervision.shut_down()


def responds(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _size(supervision: Supervision, name: str) -> int:
    log = supervision.home.logs / f"{name}.log"
    return log.stat().st_size if log.exists() else 0
