"""Other defaults and changes of the server lead to a retry or 503, never to 500."""

import asyncio

import asyncpg
import httpx

from tests.command_service.shop import add_product, create_user, fetch, order
from tests.support.database import Database
from tests.support.identity import Identity
from tests.support.services import command_service


async def statuses_of_orders(
    commands: httpx.AsyncClient, customer: str, product: str, count: int
) -> set[int]:
    body = order(customer, (product, 1))
    responses = await asyncio.gather(
        *(commands.post("/v1/orders", json=body, timeout=20) for _ in range(count))
    )
    return {response.status_code for response in responses}


async def test_another_default_isolation_level_changes_nothing(
    migrated_database: Database, identity: Identity
) -> None:
    connection = await asyncpg.connect(migrated_database.admin_url)
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(
        f"ALTER DATABASE {name} SET default_transaction_isolation TO 'repeatable read'"
    )
    await connection.close()
    url = migrated_database.command_service_url
    async with command_service(url, identity) as one, command_service(url, identity) as other:
        customer, product = await create_user(one), await add_product(one, 1000)
        both = await asyncio.gather(
            statuses_of_orders(one, customer, product, 150),
            statuses_of_orders(other, customer, product, 150),
        )
    assert tuple(both) == ({201}, {201})


async def test_a_change_of_the_schema_under_load_is_not_an_error(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    customer, product = await create_user(commands), await add_product(commands, 1000)
    assert await statuses_of_orders(commands, customer, product, 20) == {201}
    connection = await asyncpg.connect(migrated_database.migrations_url)
    ordering = asyncio.ensure_future(statuses_of_orders(commands, customer, product, 200))
    for n in range(3):
        await connection.execute(f"ALTER TABLE products ADD COLUMN extra{n} text")
        await connection.execute("ALTER TABLE products ALTER COLUMN name TYPE varchar(1000)")
        await connection.execute("ALTER TABLE products ALTER COLUMN name TYPE text")
    await connection.close()
    assert await ordering == {201}
    assert await statuses_of_orders(commands, customer, product, 20) == {201}


async def test_missing_privileges_are_503_until_they_are_back(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    customer, product = await create_user(commands), await add_product(commands, 10)
    connection = await asyncpg.connect(migrated_database.migrations_url)
    await connection.execute("REVOKE SELECT ON products FROM tandem_command_service")
    body = order(customer, (product, 1))
    pending = asyncio.ensure_future(commands.post("/v1/orders", json=body, timeout=20))
    response = await pending
    assert response.status_code == 503
    assert response.headers["retry-after"]
    await connection.execute("GRANT SELECT ON products TO tandem_command_service")
    await connection.close()
    assert (await commands.post("/v1/orders", json=body)).status_code == 201


async def test_times_of_events_are_the_server_s_and_never_decrease_in_a_shard(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    customer, product = await create_user(commands), await add_product(commands, 1000)
    await statuses_of_orders(commands, customer, product, 100)
    rows = await fetch(
        migrated_database,
        """SELECT shard, bool_and(time >= previous) AS ordered,
                  bool_and(time BETWEEN now() - interval '1 minute' AND now()) AS recent
           FROM (SELECT shard, time, lag(time, 1, time) OVER (
                     PARTITION BY shard ORDER BY position) AS previous FROM log) AS l
           GROUP BY shard""",
    )
    assert all(row["ordered"] and row["recent"] for row in rows)
