"""Several command services on one database behave like one."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.command_service.shop import add_product, create_user, fetch, log_types, order
from tests.support.database import Database
from tests.support.identity import Identity
from tests.support.services import command_service


@pytest.fixture
async def replicas(
    migrated_database: Database, identity: Identity
) -> AsyncIterator[list[httpx.AsyncClient]]:
    url = migrated_database.command_service_url
    async with command_service(url, identity) as one, command_service(url, identity) as other:
        yield [one, other]


async def test_an_email_belongs_to_one_user_despite_concurrent_requests_to_two_replicas(
    replicas: list[httpx.AsyncClient], migrated_database: Database
) -> None:
    for round_ in range(10):
        responses = await asyncio.gather(
            *(
                replicas[n % 2].post(
                    "/v1/users",
                    json={"name": "A", "email": f"A{round_}@x" if n % 3 else f"a{round_}@X"},
                )
                for n in range(12)
            )
        )
        assert sorted(response.status_code for response in responses) == [201] + [409] * 11
    assert (await log_types(migrated_database)) == {"user.created": 10}


async def test_a_key_has_one_result_despite_concurrent_requests_to_two_replicas(
    replicas: list[httpx.AsyncClient], migrated_database: Database
) -> None:
    customer, product = await create_user(replicas[0]), await add_product(replicas[0], 1000)
    body = order(customer, (product, 1))
    for round_ in range(10):
        headers = {"Idempotency-Key": f"k-{round_}"}
        responses = await asyncio.gather(
            *(replicas[n % 2].post("/v1/orders", json=body, headers=headers) for n in range(12))
        )
        decided = [response for response in responses if response.status_code == 201]
        assert len({response.json()["id"] for response in decided}) == 1
        for response in responses:
            assert response.status_code in (201, 409)
    assert (await log_types(migrated_database))["order.placed"] == 10


async def test_orders_through_both_replicas_never_oversell(
    replicas: list[httpx.AsyncClient], migrated_database: Database
) -> None:
    customer = await create_user(replicas[0])
    products = [await add_product(replicas[0], 15) for _ in range(3)]

    async def buy(n: int) -> int:
        lines = [(products[(n + i) % 3], 1) for i in range(2)]
        response = await replicas[n % 2].post("/v1/orders", json=order(customer, *lines))
        return response.status_code

    statuses = await asyncio.gather(*(buy(n) for n in range(60)))
    sold = statuses.count(201)
    rows = await fetch(migrated_database, "SELECT sum(stock) AS stock FROM products")
    assert rows[0]["stock"] == 45 - 2 * sold
    assert set(statuses) == {201, 409}
