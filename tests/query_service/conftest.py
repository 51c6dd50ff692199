"""One query service per test, on the shared Valkey, with the query service's Redis role."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from redis.asyncio import Redis

from deploy.local.ports import free_ports
from query_service.main import run
from query_service.settings import QuerySettings
from tests.query_service.shop import Shop
from tests.support.identity import AUDIENCE, ISSUER, Identity
from tests.support.servers import Valkey
from tests.support.waiting import until

Settings = Callable[..., QuerySettings]


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return Identity(tmp_path_factory.mktemp("identity"))


@pytest.fixture
async def shop(valkey: Valkey) -> AsyncIterator[Shop]:
    """A shop without events."""
    async with Redis.from_url(valkey.url()) as admin:
        shop = Shop(admin)
        await shop.open()
        yield shop


@pytest.fixture
def settings(valkey: Valkey, identity: Identity) -> Settings:
    def make(**changes: object) -> QuerySettings:
        defaults: dict[str, object] = {
            "redis_url": valkey.url("tandem_query_service"),
            "jwks_url": identity.jwks_url,
            "jwt_issuer": ISSUER,
            "jwt_audience": AUDIENCE,
            "port": free_ports(1)[0],
        }
        return QuerySettings.model_validate({**defaults, **changes})

    return make


@pytest.fixture
async def queries(
    shop: Shop, settings: Settings, identity: Identity
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with all scopes."""
    async with serving(settings(), identity) as client:
        yield client


@asynccontextmanager
async def serving(
    settings: QuerySettings, identity: Identity, *, ready: int = 200
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service with these settings, once `/readyz` returns the status `ready`."""
    stop = asyncio.Event()
    service = asyncio.create_task(run(settings, stop))
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{settings.port}", headers=identity.headers(), timeout=40
    ) as client:

        async def has_status() -> bool:
            if service.done():
                service.result()
            try:
                return (await client.get("/readyz")).status_code == ready
            except httpx.TransportError:
                return False

        await until(has_status, "the query service is ready")
        yield client
    stop.set()
    await service
