"""One run of `up`: starts programs, waits for each, and knows what to stop if it fails."""

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

READY_SECONDS = 60
READY_SECONDS_OF_SEVERAL = 180
"""Where several brokers start at once on a machine that is busy with other things."""
MAX_ATTEMPTS = 3
POLL_SECONDS = 0.05


class Startup:
    """`say` is told of each program that has become ready."""

    def __init__(self, supervision: Supervision, say: Callable[[str], None]) -> None:
        self.supervision = supervision
        self.say = say
        self._started: list[str] = []
        self._ready: set[str] = set()
        self._started_supervisor = False
        self._log_sizes: dict[str, int] = {}
        self._since = time.monotonic()

    def supervise(self, plan: Plan) -> None:
        """Starts supervisord, or has the running one change to this plan."""
        running = self.supervision.is_running
        self.supervision.configure(plan.programs)
        if running:
            self.supervision.apply()
        else:
            self._started_supervisor = True
            self.supervision.start()

    def begin(self, names: list[str]) -> None:
        for name in names:
            self._log_sizes[name] = _size(self.supervision, name)
            if self.supervision.begin(name):
                self._started.append(name)

    def wait(self, checks: Mapping[str, Callable[[], bool]]) -> None:
        """Until each says yes. Raises StackError, with its last words, when one keeps ending or
        the time is up.
        """
        several = sum(name.startswith("kafka") for name in self.supervision.statuses()) > 1
        most = READY_SECONDS_OF_SEVERAL if several else READY_SECONDS
        began = time.monotonic()
        waiting, pids = dict(checks), {name: set[int]() for name in checks}
        while waiting:
            for name in [name for name, is_ready in waiting.items() if is_ready()]:
                del waiting[name]
                if name in self._started and name not in self._ready:
                    self._ready.add(name)
                    self.say(f"{name:16} ready after {time.monotonic() - self._since:.1f} s")
            statuses = self.supervision.statuses()
            for name in waiting:
                pids[name].add(statuses[name].pid)
                self._insist(name, statuses[name], pids[name], time.monotonic() - began, most)
            time.sleep(POLL_SECONDS)

    def _insist(
        self, name: str, status: Status, pids: set[int], seconds: float, most: float
    ) -> None:
        if len(pids - {0}) > MAX_ATTEMPTS or status.state == "fatal":
            raise StackError(f"{name} does not start: {self._last_words(name)}")
        if seconds > most:
            raise StackError(f"{name} was not ready after {most:.0f} s: {self._last_words(name)}")

    def wait_http(self, programs: list[Program]) -> None:
        urls = {program.name: f"http://{HOST}:{program.port}/readyz" for program in programs}
        self.wait({name: partial(answers, url) for name, url in urls.items()})

    def undo(self) -> None:
        """Stops what this run started; what ran before goes on."""
        # A second Ctrl-C would leave what the first one is about to stop.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with suppress(*UNREACHABLE, StackError):
            if self._started_supervisor:
                stop_all(self.supervision)
            else:
                self.supervision.stop(self._started)

    def _last_words(self, name: str) -> str:
        return last_log_line(self.supervision.home.logs / f"{name}.log", self._log_sizes.get(name, 0))


def stop_all(supervision: Supervision) -> None:
    """The services first, so that what they are at can still be written; then the servers."""
    names = list(supervision.statuses())
    servers = [name for name in names if name.startswith(("postgres", "kafka", "redis"))]
    supervision.stop([name for name in names if name not in servers])
    supervision.stop(servers)
    supervision.shut_down()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _size(supervision: Supervision, name: str) -> int:
    log = supervision.home.logs / f"{name}.log"
    return log.stat().st_size if log.exists() else 0
