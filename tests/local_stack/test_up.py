"""`make up` and its kin, as a person calls them: a stack of its own in a scratch directory."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from deploy.local.demo import isolated_settings
from deploy.local.external_servers import read_env
from deploy.local.home import ROOT, Home
from deploy.local.ps import Line, lines
from deploy.local.supervision import clean_environment

SERVERS = {"postgres", "kafka", "redis"}
SERVICES = {"command-service", "relay", "projector", "query-service"}


class Stack:
    """Calls the commands with a home and ports of its own."""

    def __init__(self, directory: Path) -> None:
        self.home = Home(directory)
        self.environ = isolated_settings(os.environ) | {"TANDEM_HOME": str(directory)}

    def call(
        self, *arguments: str, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "deploy.local", *arguments]
        return subprocess.run(
            command,
            cwd=ROOT,
            env=self.environ | dict(environ or {}),
            capture_output=True,
            text=True,
            timeout=180,
        )

    def lines(self) -> dict[str, Line]:
        return {line.text.split()[0]: line for line in lines(self.home)}

    def pid(self, name: str) -> int:
        return int(self.lines()[name].text.split()[1])


@pytest.fixture
def stack(scratch: Path, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Nothing runs in it yet; whatever does afterwards is stopped."""
    stack = Stack(scratch / "stacks" / request.node.name)
    yield stack
    stack.call("reset")


@pytest.fixture(scope="module")
def whole_stack(scratch: Path) -> Iterator[Stack]:
    """Everything is up, once for all tests that leave it so."""
    stack = Stack(scratch / "stacks" / "whole")
    done = stack.call("up")
    assert done.returncode == 0, done.stderr
    yield stack
    stack.call("reset")


def test_all_run_and_ps_says_where(whole_stack: Stack) -> None:
    done = whole_stack.call("ps")

    assert done.returncode == 0
    columns = [line.split() for line in done.stdout.splitlines()]
    assert {name for name, _, _, _ in columns} == SERVERS | SERVICES
    assert {state for _, _, state, _ in columns} == {"running"}
    for _, pid, _, address in columns:
        assert psutil.pid_exists(int(pid))
        host, port = address.split(":")
        socket.create_connection((host, int(port)), timeout=5).close()


def test_the_pid_is_of_the_process_itself(whole_stack: Stack) -> None:
    names = {name: psutil.Process(whole_stack.pid(name)).name() for name in SERVERS}

    assert names == {"postgres": "postgres", "kafka": "java", "redis": "valkey-server"}


def test_no_password_stands_in_a_command_line(whole_stack: Stack) -> None:
    secrets = whole_stack.home.secrets.read_text().split('"')[3::4]
    for name in whole_stack.lines():
        command = " ".join(psutil.Process(whole_stack.pid(name)).cmdline())
        assert not any(secret in command for secret in secrets)


def test_the_env_file_leads_to_everything(whole_stack: Stack) -> None:
    env = read_env(whole_stack.home)

    assert set(env) == {
        "COMMAND_URL",
        "QUERY_URL",
        "KAFKA_BOOTSTRAP_SERVERS",
        "JWKS_URL",
        "DATABASE_URL",
        "REDIS_URL",
        "REDIS_CLUSTER",
    }
    assert not env["QUERY_URL"].endswith("/v1")
    assert whole_stack.home.env.stat().st_mode & 0o077 == 0


def test_a_repeat_changes_nothing(whole_stack: Stack) -> None:
    before = {name: whole_stack.pid(name) for name in whole_stack.lines()}

    assert whole_stack.call("up").returncode == 0

    assert {name: whole_stack.pid(name) for name in whole_stack.lines()} == before


def test_a_repeat_changes_the_number_of_relays_and_nothing_else(whole_stack: Stack) -> None:
    kept = whole_stack.pid("projector")

    assert whole_stack.call("up", environ={"RELAYS": "2"}).returncode == 0
    assert {"relay-1", "relay-2"} <= set(whole_stack.lines())
    assert whole_stack.call("up").returncode == 0

    assert set(whole_stack.lines()) == SERVERS | SERVICES
    assert whole_stack.pid("projector") == kept


@pytest.mark.parametrize("name", sorted(SERVERS | SERVICES))
def test_what_is_killed_comes_back(whole_stack: Stack, name: str) -> None:
    before = whole_stack.pid(name)

    os.kill(before, signal.SIGKILL)

    until(lambda: whole_stack.lines()[name].text.split()[1] not in ("-", str(before)), 20)
    until(lambda: whole_stack.lines()[name].state == "running", 20)


def test_down_leaves_no_process_and_a_power_cut_keeps_nothing_from_starting(stack: Stack) -> None:
    assert stack.call("up", "--servers-only").returncode == 0
    supervisor = psutil.Process(int(stack.home.supervisor_pid.read_text()))
    family = [supervisor, *supervisor.children(recursive=True)]
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=10)
    assert stack.home.supervisor_pid.exists()
    assert stack.home.supervisor_socket.exists()

    done = stack.call("up", "--servers-only")
    assert done.returncode == 0, done.stderr
    assert {line.state for line in stack.lines().values()} == {"running"}

    supervisor = psutil.Process(int(stack.home.supervisor_pid.read_text()))
    family = [supervisor, *supervisor.children(recursive=True)]
    began = time.monotonic()
    assert stack.call("down").returncode == 0

    assert time.monotonic() - began < 15
    assert not any(process.is_running() for process in family)
    assert stack.call("ps").returncode == 1
    assert (stack.home.data / "postgres" / "PG_VERSION").exists()


def test_a_port_in_use_is_one_line_and_starts_nothing(stack: Stack) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = stack.call("up", environ={"QUERY_PORT": str(port)})

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"tandem: port {port}, for query-service, is in use; free it or choose another: "
        "make up QUERY_PORT=<port>"
    ]
    assert stack.lines() == {}


def test_a_server_that_is_set_and_does_not_answer_is_one_line(stack: Stack) -> None:
    done = stack.call("up", environ={"DATABASE_URL": "postgresql://me:secret@127.0.0.1:1/shop"})

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("tandem: DATABASE_URL is set, but 127.0.0.1:1 does not answer")
    assert stack.lines() == {}


def test_what_cannot_start_is_one_line_and_all_is_stopped_again(stack: Stack) -> None:
    done = stack.call("up", environ={"LOG_LEVEL": "LOUD"})

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "LOG_LEVEL" in line
    assert stack.lines() == {}


def test_ctrl_c_stops_what_was_started(stack: Stack) -> None:
    command = [sys.executable, "-m", "deploy.local", "up", "--servers-only"]
    with subprocess.Popen(
        command, cwd=ROOT, env=stack.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as starting:
        until(lambda: "redis" in stack.lines(), 60)
        starting.send_signal(signal.SIGINT)

        _, said = starting.communicate(timeout=60)

    assert said == b"tandem: stopped\n"
    assert stack.lines() == {}


def test_the_demo_goes_through_and_leaves_nothing(stack: Stack) -> None:
    done = stack.call("demo")

    assert done.returncode == 0, done.stderr
    assert "order.placed" in done.stdout
    assert "ms after the commit" in done.stdout
    assert "\033[" not in done.stdout
    assert list(stack.home.directory.glob("demo-*")) == []


def test_a_demo_that_is_interrupted_leaves_nothing(stack: Stack) -> None:
    command = [sys.executable, "-m", "deploy.local", "demo"]
    with subprocess.Popen(
        command, cwd=ROOT, env=stack.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as demo:
        until(lambda: any(stack.home.directory.glob("demo-*/data/postgres/postmaster.pid")), 60)
        family = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(signal.SIGINT)

        demo.communicate(timeout=60)

    assert demo.returncode == 130
    assert not any(process.is_running() for process in family)
    assert list(stack.home.directory.glob("demo-*")) == []


def test_processes_inherit_nothing_but_what_any_process_needs() -> None:
    kept = clean_environment({"PATH": "/bin", "DATABASE_URL": "secret", "LEASE_SECONDS": "3"})

    assert kept == {"PATH": "/bin"}


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds:.0f} s"
        time.sleep(0.1)
