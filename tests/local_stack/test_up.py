"""`make up` and the related targets, in a temporary directory."""

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
from deploy.local.ps import ProcessLine, process_lines
from deploy.local.supervision import clean_environment

SERVERS = {"postgres", "kafka", "redis"}
SERVICES = {"command-service", "relay", "projector", "query-service"}


class Stack:
    """Runs the commands with a separate home and ports."""

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

    def lines(self) -> dict[str, ProcessLine]:
        return {line.text.split()[0]: line for line in process_lines(self.home)}

    def pid(self, name: str) -> int:
        return int(self.lines()[name].text.split()[1])


@pytest.fixture
def stack(scratch: Path, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A stack that does not run yet; it is stopped after the test."""
    stack = Stack(scratch / "stacks" / request.node.name)
    yield stack
    stack.call("reset")


@pytest.fixture(scope="module")
def running_stack(scratch: Path) -> Iterator[Stack]:
    """A running stack, shared by the tests that leave it running."""
    stack = Stack(scratch / "stacks" / "running")
    done = stack.call("up")
    assert done.returncode == 0, done.stderr
    yield stack
    stack.call("reset")


def test_all_processes_run_at_the_addresses_that_ps_prints(running_stack: Stack) -> None:
    done = running_stack.call("ps")

    assert done.returncode == 0
    columns = [line.split() for line in done.stdout.splitlines()]
    assert {name for name, _, _, _ in columns} == SERVERS | SERVICES
    assert {state for _, _, state, _ in columns} == {"running"}
    for _, pid, _, address in columns:
        assert psutil.pid_exists(int(pid))
        host, port = address.split(":")
        socket.create_connection((host, int(port)), timeout=5).close()


def test_the_pid_is_that_of_the_server(running_stack: Stack) -> None:
    names = {name: psutil.Process(running_stack.pid(name)).name() for name in SERVERS}

    assert names == {"postgres": "postgres", "kafka": "java", "redis": "valkey-server"}


def test_no_command_line_contains_a_password(running_stack: Stack) -> None:
    secrets = running_stack.home.secrets.read_text().split('"')[3::4]
    for name in running_stack.lines():
        command = " ".join(psutil.Process(running_stack.pid(name)).cmdline())
        assert not any(secret in command for secret in secrets)


def test_the_env_file_has_all_addresses(running_stack: Stack) -> None:
    env = read_env(running_stack.home)

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
    assert running_stack.home.env.stat().st_mode & 0o077 == 0


def test_a_second_up_changes_nothing(running_stack: Stack) -> None:
    before = {name: running_stack.pid(name) for name in running_stack.lines()}

    assert running_stack.call("up").returncode == 0

    assert {name: running_stack.pid(name) for name in running_stack.lines()} == before


def test_a_second_up_changes_the_number_of_relays_and_nothing_else(running_stack: Stack) -> None:
    kept = running_stack.pid("projector")

    assert running_stack.call("up", environ={"RELAYS": "2"}).returncode == 0
    assert {"relay-1", "relay-2"} <= set(running_stack.lines())
    assert running_stack.call("up").returncode == 0

    assert set(running_stack.lines()) == SERVERS | SERVICES
    assert running_stack.pid("projector") == kept


@pytest.mark.parametrize("name", sorted(SERVERS | SERVICES))
def test_a_killed_process_is_restarted(running_stack: Stack, name: str) -> None:
    before = running_stack.pid(name)

    os.kill(before, signal.SIGKILL)

    until(lambda: running_stack.lines()[name].text.split()[1] not in ("-", str(before)), 20)
    until(lambda: running_stack.lines()[name].state == "running", 20)


def test_down_stops_all_processes_and_up_starts_after_a_power_failure(stack: Stack) -> None:
    assert stack.call("up", "--servers-only").returncode == 0
    supervisor = psutil.Process(int(stack.home.supervisor_pid.read_text()))
    processes = [supervisor, *supervisor.children(recursive=True)]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10)
    assert stack.home.supervisor_pid.exists()
    assert stack.home.supervisor_socket.exists()

    done = stack.call("up", "--servers-only")
    assert done.returncode == 0, done.stderr
    assert {line.state for line in stack.lines().values()} == {"running"}

    supervisor = psutil.Process(int(stack.home.supervisor_pid.read_text()))
    processes = [supervisor, *supervisor.children(recursive=True)]
    began = time.monotonic()
    assert stack.call("down").returncode == 0

    assert time.monotonic() - began < 15
    assert not any(process.is_running() for process in processes)
    assert stack.call("ps").returncode == 1
    assert (stack.home.data / "postgres" / "PG_VERSION").exists()


def test_a_port_in_use_is_one_error_line_and_starts_nothing(stack: Stack) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        done = stack.call("up", environ={"QUERY_PORT": str(port)})

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"tandem: port {port}, for query-service, is in use; free it or choose another: "
        "make up QUERY_PORT=<port>"
    ]
    assert stack.lines() == {}


def test_an_external_server_that_does_not_respond_is_one_error_line(stack: Stack) -> None:
    done = stack.call("up", environ={"DATABASE_URL": "postgresql://me:secret@127.0.0.1:1/shop"})

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("tandem: DATABASE_URL is set, but 127.0.0.1:1 does not respond")
    assert stack.lines() == {}


def test_a_failed_start_is_one_error_line_and_stops_everything(stack: Stack) -> None:
    done = stack.call("up", environ={"LOG_LEVEL": "LOUD"})

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "LOG_LEVEL" in line
    assert stack.lines() == {}


def test_ctrl_c_stops_everything_that_was_started(stack: Stack) -> None:
    command = [sys.executable, "-m", "deploy.local", "up", "--servers-only"]
    with subprocess.Popen(
        command, cwd=ROOT, env=stack.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as starting:
        until(lambda: "redis" in stack.lines(), 60)
        starting.send_signal(signal.SIGINT)

        _, errors = starting.communicate(timeout=60)

    assert errors == b"tandem: stopped\n"
    assert stack.lines() == {}


def test_the_demo_succeeds_and_leaves_nothing(stack: Stack) -> None:
    done = stack.call("demo")

    assert done.returncode == 0, done.stderr
    assert "order.placed" in done.stdout
    assert "ms after the commit" in done.stdout
    assert "\033[" not in done.stdout
    assert list(stack.home.directory.glob("demo-*")) == []


def test_an_interrupted_demo_leaves_nothing(stack: Stack) -> None:
    command = [sys.executable, "-m", "deploy.local", "demo"]
    with subprocess.Popen(
        command, cwd=ROOT, env=stack.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as demo:
        until(lambda: any(stack.home.directory.glob("demo-*/data/postgres/postmaster.pid")), 60)
        processes = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(signal.SIGINT)

        demo.communicate(timeout=60)

    assert demo.returncode == 130
    assert not any(process.is_running() for process in processes)
    assert list(stack.home.directory.glob("demo-*")) == []


def test_processes_inherit_only_the_variables_that_every_process_needs() -> None:
    kept = clean_environment({"PATH": "/bin", "DATABASE_URL": "secret", "LEASE_SECONDS": "3"})

    assert kept == {"PATH": "/bin"}


def until(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not true within {timeout_s:.0f} s"
        time.sleep(0.1)
