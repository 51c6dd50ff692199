"""The health check of a container."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deploy.local.ports import free_ports
from shared.http.check_health import main


class AliveNotReady(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/livez" else 503)
        self.end_headers()
        self.wfile.write(b"redis: gone")

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


@pytest.fixture
def port() -> Iterator[str]:
    """Of a process that is alive, but not ready."""
    with HTTPServer(("127.0.0.1", 0), AliveNotReady) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield str(server.server_address[1])
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("arguments", [[], ["livez"]])
def test_a_process_that_is_alive_passes(port: str, arguments: list[str]) -> None:
    assert main(arguments, {"HOST": "0.0.0.0", "PORT": port}) == 0


def test_a_process_that_is_not_ready_fails_with_its_reason(
    port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["readyz"], {"PORT": port}) == 1
    assert "503 redis: gone" in capsys.readouterr().err


def test_an_unused_port_fails() -> None:
    assert main([], {"PORT": str(free_ports(1)[0])}) == 1


@pytest.mark.parametrize(("arguments", "environ"), [(["other"], {"PORT": "1"}), ([], {})])
def test_invalid_arguments_print_the_usage(
    arguments: list[str], environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments, environ) == 2
    assert "usage" in capsys.readouterr().err
