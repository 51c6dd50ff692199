"""`GET /` of both services."""

import httpx
import pytest

from tests.query_service.shop import Shop
from tests.support.database import Database
from tests.support.identity import Identity
from tests.support.services import command_service


async def has_links(client: httpx.AsyncClient, names: set[str]) -> None:
    response = await client.get("/")
    assert response.status_code == 200
    links = response.json()["links"]
    assert names <= links.keys()
    for name, path in links.items():
        assert (await client.get(path)).status_code == 200, name
    assert (await client.head("/")).status_code == 200
    assert (await client.post("/")).status_code == 405


@pytest.mark.usefixtures("shop")
async def test_the_query_service_links_to_what_it_offers(queries: httpx.AsyncClient) -> None:
    await has_links(queries, {"documentation", "openapi", "readiness", "products"})


async def test_the_command_service_links_to_what_it_offers(
    migrated_database: Database, identity: Identity
) -> None:
    async with command_service(migrated_database.command_service_url, identity) as client:
        await has_links(client, {"documentation", "openapi", "asyncapi", "readiness"})


async def test_the_index_needs_no_token(shop: Shop, queries: httpx.AsyncClient) -> None:
    async with httpx.AsyncClient(base_url=queries.base_url) as client:
        assert (await client.get("/")).json()["service"] == "query-service"
