"""`make demo`: a temporary stack on free ports and one order through it."""

import fcntl
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from deploy.local.down import down
from deploy.local.errors import StackError
from deploy.local.home import Home
from deploy.local.order_walkthrough import run_walkthrough
from deploy.local.ports import free_ports, is_free
from deploy.local.settings import PORT_SETTINGS
from deploy.local.supervision import clean_environment
from deploy.local.terminal import Terminal
from deploy.local.up import up

NEXT = {
    "make up": "start the same stack in the background",
    ". .tandem/env": "load its addresses: $COMMAND_URL, $QUERY_URL, $DATABASE_URL, …",
    "curl $COMMAND_URL/docs": "the API documentation, for a browser",
    'make token SCOPE="products:write"': "create a token",
    "make ps": "list its processes: kill -9 one, and list them again",
    "make test": "test all guarantees on real servers",
}


def demo(home: Home, environ: Mapping[str, str]) -> int:
    """Returns 0. Raises StackError with the failed step otherwise."""
    terminal = Terminal()
    terminal.title("Tandem: one order, from POST to view")
    terminal.blank_line()
    with temporary_home(home) as temporary:
        plan = up(temporary, isolated_settings(environ), terminal.text, attached=True)
        run_walkthrough(plan, terminal)
    terminal.blank_line()
    terminal.title("Everything is stopped and deleted. Next steps:")
    terminal.pairs(NEXT)
    return 0


@contextmanager
def temporary_home(home: Home) -> Iterator[Home]:
    """A home below the given one; at the end, its processes are stopped and it is deleted."""
    home.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    delete_leftovers(home)
    temporary = Home(Path(tempfile.mkdtemp(prefix="demo-", dir=home.directory)))
    with temporary.exclusive():
        try:
            yield temporary
        finally:
            # A second Ctrl-C would interrupt the stop.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            with suppress(StackError):
                down(temporary)
            shutil.rmtree(temporary.directory, ignore_errors=True)


def delete_leftovers(home: Home) -> None:
    """Deletes the homes of demos that were killed: those that no process has locked."""
    for lock in home.directory.glob("demo-*/lock"):
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(lock.parent, ignore_errors=True)


def isolated_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Free ports; external servers and process counts of the environment are ignored."""
    while True:
        ports = free_ports(len(PORT_SETTINGS))
        settings = dict(zip(PORT_SETTINGS.values(), map(str, ports), strict=True))
        # Kafka's controller uses the next port.
        controller = int(settings["KAFKA_PORT"]) + 1
        if controller not in ports and is_free(controller):
            return settings | clean_environment(environ)
