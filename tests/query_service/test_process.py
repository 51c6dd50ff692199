"""The process: start, stop and imports."""

import asyncio
import os
import signal
import subprocess
import sys

import httpx

from deploy.local.ports import free_ports
from tests.query_service.shop import Shop
from tests.support.identity import AUDIENCE, ISSUER, Identity
from tests.support.servers import Valkey
from tests.support.waiting import until

COMMAND = [sys.executable, "-m", "query_service"]


def environment(**settings: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LOG_FORMAT": "json", **settings}


def test_a_missing_setting_is_named_and_ends_the_process() -> None:
    ended = subprocess.run(
        COMMAND, env=environment(PORT="x"), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "REDIS_URL: is not set" in ended.stderr.splitlines()
    assert any(line.startswith("PORT: ") for line in ended.stderr.splitlines())


def test_the_write_side_is_never_imported() -> None:
    code = (
        "import sys, query_service.main\n"
        "found = {'asyncpg', 'aiokafka', 'faststream', 'command_service', 'projector'}\n"
        "sys.exit(', '.join(found & set(sys.modules)) or None)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert ended.stderr == b""


async def test_it_serves_and_stops_cleanly_while_a_read_waits(
    shop: Shop, valkey: Valkey, identity: Identity
) -> None:
    port = str(free_ports(1)[0])
    settings = environment(
        REDIS_URL=valkey.url("tandem_query_service"),
        JWKS_URL=identity.jwks_url,
        JWT_ISSUER=ISSUER,
        JWT_AUDIENCE=AUDIENCE,
        PORT=port,
    )
    product = await shop.product()
    process = await asyncio.create_subprocess_exec(
        *COMMAND, env=settings, stderr=asyncio.subprocess.PIPE
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:

        async def ready() -> bool:
            try:
                return (await client.get("/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        await until(ready, "ready")
        assert (await client.get(f"/v1/products/{product}")).status_code == 200
        headers = {"Consistency-Token": "products.0:999", "Prefer": "wait=30"}
        waiting = asyncio.create_task(client.get("/v1/products", headers=headers))

        async def waits() -> bool:
            return "tandem_waiting_reads 1.0" in (await client.get("/metrics")).text

        await until(waits, "a read waits")
        process.send_signal(signal.SIGTERM)
        assert (await waiting).status_code == 503
    _, logged = await process.communicate()
    assert process.returncode == 0
    assert b"Traceback" not in logged
    assert b'"level": "error"' not in logged
