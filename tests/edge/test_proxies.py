"""Behind real proxies, an attacker and a victim share one upstream connection."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from deploy.local.ports import free_ports
from tests.edge.bare_server import bare_server
from tests.edge.corpus import CASES
from tests.edge.loops import on_both_loops
from tests.edge.proxies import GoProxy, HAProxy, Nginx, ReverseProxy

_VICTIMS = 2


async def attack(port: int, head: bytes, rest: bytes) -> None:
    """Sends a request in two parts, the second one once there is a response, or after 50 ms."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(ConnectionError, TimeoutError):
        for part in (head, rest):
            writer.write(part)
            await writer.drain()
            async with asyncio.timeout(0.05):
                await reader.read(65536)
    writer.transport.abort()


async def victim(port: int, path: str) -> bytes:
    """What a client receives for a request of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    try:
        writer.write(request.encode())
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("kind", [GoProxy, HAProxy, Nginx], ids=["go", "haproxy", "nginx"])
@on_both_loops
async def test_no_client_receives_or_sends_what_is_anothers(
    kind: type[ReverseProxy], tmp_path: Path
) -> None:
    async with bare_server() as server:
        proxy = kind(tmp_path / "proxy", free_ports(1)[0], server.port)
        await asyncio.to_thread(proxy.start)
        try:
            for case in CASES:
                end = case.sent.find(b"\r\n\r\n") + 4
                for head, rest in ((case.sent, b""), (case.sent[:end], case.sent[end:])):
                    await attack(proxy.port, head, rest)
                    for number in range(_VICTIMS):
                        path = f"/victim-{number}"
                        received = await victim(proxy.port, path)
                        assert received.startswith(b"HTTP/1.1 200 "), (case.name, received)
                        assert f"{path} ".encode() in received, (case.name, received)
        finally:
            await asyncio.to_thread(proxy.stop)
        direct = [h.path for h in server.app.handled if (b"x-proxied", b"1") not in h.fields]
        assert direct == []
        assert len(server.app.handled) > len(CASES)
