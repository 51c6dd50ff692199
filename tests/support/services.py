"""Services that run in the event loop of the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from command_service.main import run
from command_service.settings import ServeSettings
from deploy.local.ports import free_ports
from tests.support.identity import AUDIENCE, ISSUER, Identity
from tests.support.waiting import until


@asynccontextmanager
async def command_service(
    database_url: str, identity: Identity, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with all scopes for a command service that is ready."""
    port = free_ports(1)[0]
    serving = asyncio.create_task(
        run(_settings(database_url, identity, port, **settings), stop := asyncio.Event())
    )
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers=identity.headers(), timeout=20
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


def _settings(database_url: str, identity: Identity, port: int, **settings: Any) -> ServeSettings:
    return ServeSettings(
        database_url=database_url,
        jwks_url=identity.jwks_url,
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
        port=port,
        **settings,
    )
