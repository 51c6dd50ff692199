"""A command service of the test's own, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from command_service.main import run
from command_service.settings import ServeSettings
from deploy.local.ports import free_ports
from tests.support.database import Database
from tests.support.identity import AUDIENCE, ISSUER, Identity
from tests.support.waiting import until


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return Identity(tmp_path)


@pytest.fixture
async def commands(
    migrated_database: Database, identity: Identity
) -> AsyncIterator[httpx.AsyncClient]:
    """A client that may do everything."""
    settings = ServeSettings(
        database_url=migrated_database.command_service_url,
        jwks_url=identity.jwks_url,
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
        port=free_ports(1)[0],
    )
    stop = asyncio.Event()
    serving = asyncio.create_task(run(settings, stop))
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{settings.port}", headers=identity.headers(), timeout=20
    ) as client:

        async def ready() -> bool:
            if serving.done():
                serving.result()
            try:
                return (await client.get("/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        await until(ready, "the command service is ready")
        yield client
    stop.set()
    await serving
