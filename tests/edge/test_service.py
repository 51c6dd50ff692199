"""A service with a port for operations."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from deploy.local.ports import free_ports
from shared.http.health import Health
from shared.http.jwks import KeySet
from shared.http.messages import Request, Response
from shared.http.operations import Operation
from shared.http.server import CannotListen
from shared.http.service import HttpService
from shared.http.settings import HttpSettings


async def hello(_request: Request) -> Response:
    return Response(200, b"hello")


HELLO = Operation(method="GET", path="/hello", handler=hello, operation_id="Hello", summary="Hello")


def settings(tmp_path: Path, **ports: Any) -> HttpSettings:
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps({"keys": []}))
    return HttpSettings(jwks_url=str(keys), jwt_issuer="i", jwt_audience="a", **ports)


async def statuses(settings: HttpSettings, *ports: int) -> dict[tuple[int, str], int]:
    """The statuses of all paths on all ports. What the first one links to is there."""
    stop = asyncio.Event()
    with HttpService(settings) as service:
        serving = asyncio.create_task(
            service.serve(
                [HELLO],
                name="hello",
                links={"hello": "/hello"},
                keys=KeySet(settings.jwks_url),
                health=Health(),
                registry=CollectorRegistry(),
                stop=stop,
                grace_seconds=1,
            )
        )
        await asyncio.sleep(0)  # it listens from its first step on
        found = {}
        async with httpx.AsyncClient() as client:
            for port in ports:
                for path in ("/", "/hello", "/livez", "/readyz", "/metrics"):
                    response = await client.get(f"http://127.0.0.1:{port}{path}")
                    found[port, path] = response.status_code
            links = (await client.get(f"http://127.0.0.1:{ports[0]}/")).json()["links"]
        stop.set()
        await asyncio.wait_for(serving, 5)
    assert [found[ports[0], path] for path in links.values()] == [200] * len(links)
    return found


async def test_operations_are_on_the_public_port_by_default(tmp_path: Path) -> None:
    [port] = free_ports(1)
    assert set((await statuses(settings(tmp_path, port=port), port)).values()) == {200}


async def test_operations_are_on_a_port_of_their_own_if_it_is_set(tmp_path: Path) -> None:
    public, operations = free_ports(2)
    chosen = settings(tmp_path, port=public, operations_port=operations)
    found = await statuses(chosen, public, operations)
    assert {key for key, status in found.items() if status == 200} == {
        (public, "/"),
        (public, "/hello"),
        *((operations, path) for path in ("/livez", "/readyz", "/metrics")),
    }
    assert set(found.values()) == {200, 404}


async def test_a_taken_operations_port_frees_the_public_one(tmp_path: Path) -> None:
    public, operations = free_ports(2)
    with socket.create_server(("127.0.0.1", operations)), pytest.raises(CannotListen):
        HttpService(settings(tmp_path, port=public, operations_port=operations))
    HttpService(settings(tmp_path, port=public)).__exit__(None, None, None)
