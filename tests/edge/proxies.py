"""Real reverse proxies, each with one upstream connection to the server under test."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

from deploy.local.ports import HOST
from tests.contracts_tools.tools import require_tool, run
from tests.support.servers import ServerProcess

_PACKAGES = {"haproxy": "haproxy", "nginx": "nginx-light"}
_SBIN = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"


def find(tool: str) -> str:
    """The program's path. As root on Debian it is installed first; else see `require_tool`."""
    found = shutil.which(tool, path=_SBIN)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get") is not None:
        _install(_PACKAGES[tool])
        found = shutil.which(tool, path=_SBIN)
    return found or require_tool(tool)


def _install(package: str) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    options = ["-qq", "-o", "DPkg::Lock::Timeout=120"]
    for command in (["update"], ["install", "-y", "--no-install-recommends", package]):
        subprocess.run(
            ["apt-get", *options, *command], env=env, check=False, capture_output=True, timeout=300
        )


class ReverseProxy(ServerProcess):
    """A proxy that adds `X-Proxied: 1` to each request that it forwards."""

    def __init__(self, data_dir: Path, port: int, upstream_port: int) -> None:
        super().__init__(data_dir, port)
        self.upstream_port = upstream_port

    def is_ready(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0


class GoProxy(ReverseProxy):
    name = "go"

    def prepare(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        source = Path(__file__).parent / "reverse_proxy"
        program = self.data_dir / "reverse_proxy"
        run(require_tool("go"), "build", "-o", program, ".", cwd=source, timeout_s=300)

    def command(self) -> list[str]:
        upstream = f"{HOST}:{self.upstream_port}"
        return [str(self.data_dir / "reverse_proxy"), self.address, upstream]


class HAProxy(ReverseProxy):
    name = "haproxy"

    def prepare(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        (self.data_dir / "haproxy.cfg").write_text(
            f"""
global
    nbthread 1
    maxconn 200
defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
    http-reuse always
frontend public
    bind {self.address}
    http-request set-header X-Proxied 1
    default_backend tandem
backend tandem
    server tandem {HOST}:{self.upstream_port} maxconn 1 pool-max-conn 1
"""
        )

    def command(self) -> list[str]:
        return [find("haproxy"), "-db", "-f", str(self.data_dir / "haproxy.cfg")]


class Nginx(ReverseProxy):
    """It forwards upgrades, and bodies as they arrive."""

    name = "nginx"

    def prepare(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "\n".join(f"    {kind}_temp_path {self.data_dir}/{kind};" for kind in kinds)
        user = "user root;" if os.geteuid() == 0 else ""
        (self.data_dir / "nginx.conf").write_text(
            f"""
{user}
daemon off;
worker_processes 1;
pid {self.data_dir}/nginx.pid;
error_log {self.data_dir}/error.log;
events {{ worker_connections 200; }}
http {{
    access_log off;
{temporary}
    map $http_upgrade $forwarded_connection {{ default upgrade; '' ''; }}
    upstream tandem {{ server {HOST}:{self.upstream_port}; keepalive 1; }}
    server {{
        listen {self.address};
        location / {{
            proxy_pass http://tandem;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $forwarded_connection;
            proxy_set_header X-Proxied 1;
        }}
    }}
}}
"""
        )

    def command(self) -> list[str]:
        return [
            find("nginx"), "-p", str(self.data_dir), "-e", str(self.data_dir / "error.log"),
            "-c", str(self.data_dir / "nginx.conf"),
        ]  # fmt: skip
