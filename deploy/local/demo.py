"""`make demo`: a stack of its own on free ports, one order through it, and nothing left behind."""

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
    "make up": "the same stack in the background, to stay",
    ". .tandem/env": "its addresses: $COMMAND_URL, $QUERY_URL, $DATABASE_URL, …",
    "curl $COMMAND_URL/docs": "the API, to read in a browser",
    'make token SCOPE="products:write"': "a token to call it with",
    "make ps": "the processes: kill -9 one and look again",
    "make test": "all of its promises, tested on real servers",
}


def demo(home: Home, environ: Mapping[str, str]) -> int:
    """0 if every step was right. Raises StackError, naming the step, otherwise."""
    terminal = Terminal()
    terminal.title("Tandem: one order, from POST to view")
    terminal.space()
    with temporary_home(home) as own:
        plan = up(own, isolated_settings(environ), terminal.text, attached=True)
        run_walkthrough(plan, terminal)
    terminal.space()
    terminal.title("Everything is stopped and deleted again. What to try next:")
    terminal.pairs(NEXT)
    return 0


@contextmanager
def temporary_home(home: Home) -> Iterator[Home]:
    """A home below the other one; stops what runs in it and deletes it, also on Ctrl-C."""
    home.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    delete_leftovers(home)
    own = Home(Path(tempfile.mkdtemp(prefix="demo-", dir=home.directory)))
    with own.exclusive():
        try:
            yield own
        finally:
            # A second Ctrl-C would leave what the first one is about to stop.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            with suppress(StackError):
                down(own)
            shutil.rmtree(own.directory, ignore_errors=True)


def delete_leftovers(home: Home) -> None:
    """Of demos that were killed: nobody holds their lock any more."""
    for lock in home.directory.glob("demo-*/lock"):
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(lock.parent, ignore_errors=True)


def isolated_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Ports that nobody has, and none of the servers or numbers that are set."""
    while True:
        ports = free_ports(len(PORT_SETTINGS))
        settings = dict(zip(PORT_SETTINGS.values(), map(str, ports), strict=True))
        # Kafka's controller takes the port after Kafka's.
        controller = int(settings["KAFKA_PORT"]) + 1
        if controller not in ports and is_free(controller):
            return settings | clean_environment(environ)
