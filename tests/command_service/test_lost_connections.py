"""A command takes effect once, even if the connection is lost before or after COMMIT."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from command_service.ids import random_id
from command_service.write_store.pool import open_pool
from command_service.write_store.transactions import Transactions
from tests.command_service.shop import add_product, create_user, fetch, log_types, order
from tests.support.database import Database
from tests.support.identity import Identity
from tests.support.proxy import Cut, commit_proxy
from tests.support.servers import Postgres
from tests.support.services import command_service


@pytest.mark.parametrize("cut", ["before", "after"])
@pytest.mark.parametrize("key", [None, "k-1"])
async def test_a_connection_cut_around_commit_neither_loses_nor_duplicates_a_command(
    postgres: Postgres, migrated_database: Database, identity: Identity, cut: Cut, key: str | None
) -> None:
    url = migrated_database.command_service_url
    async with commit_proxy("127.0.0.1", postgres.port) as proxy:
        through = url.replace(f":{postgres.port}/", f":{proxy.port}/")
        async with command_service(through, identity) as commands:
            customer, product = await create_user(commands), await add_product(commands)
            headers = {} if key is None else {"Idempotency-Key": key}
            proxy.cut = cut
            body = order(customer, (product, 1))
            response = await commands.post("/v1/orders", json=body, headers=headers)
            assert proxy.cuts == 1
            assert response.status_code == 201
            assert response.headers["consistency-token"]
    assert (await log_types(migrated_database))["order.placed"] == 1


async def test_many_commands_survive_many_cut_connections(
    postgres: Postgres, migrated_database: Database, identity: Identity
) -> None:
    url = migrated_database.command_service_url
    async with commit_proxy("127.0.0.1", postgres.port) as proxy:
        through = url.replace(f":{postgres.port}/", f":{proxy.port}/")
        async with command_service(through, identity) as commands:
            customer, product = await create_user(commands), await add_product(commands, 10_000)
            accepted = 0
            for step in range(20):
                proxy.cut = "after" if step % 2 else "before"
                responses = await asyncio.gather(
                    *(
                        commands.post("/v1/orders", json=order(customer, (product, 1)))
                        for _ in range(10)
                    )
                )
                accepted += sum(response.status_code == 201 for response in responses)
            assert proxy.cuts >= 20
            assert accepted == 200
    assert (await log_types(migrated_database))["order.placed"] == accepted
    rows = await fetch(migrated_database, "SELECT stock FROM products")
    assert rows[0]["stock"] == 10_000 - accepted


async def test_a_session_that_holds_a_shard_delays_commands_and_loses_none(
    migrated_database: Database, identity: Identity
) -> None:
    async with command_service(migrated_database.command_service_url, identity) as commands:
        customer, product = await create_user(commands), await add_product(commands)
        connection = await asyncpg.connect(migrated_database.admin_url)
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("SELECT 1 FROM shards FOR UPDATE")
        waiting = asyncio.create_task(
            commands.post("/v1/orders", json=order(customer, (product, 1)))
        )
        done, _ = await asyncio.wait([waiting], timeout=2.5)
        assert not done
        await transaction.rollback()
        await connection.close()
        assert (await waiting).status_code == 201
    assert (await log_types(migrated_database))["order.placed"] == 1


async def test_the_outcome_of_a_batch_is_the_same_for_every_query(
    migrated_database: Database,
) -> None:
    pool = await open_pool(migrated_database.command_service_url, 2)
    transactions = Transactions(pool, 12, random_id, lambda shards: None)
    deadline = asyncio.get_running_loop().time() + 10
    committed, never = uuid4(), uuid4()
    await pool.execute("INSERT INTO batches (id) VALUES ($1)", committed)
    for _ in range(3):
        assert await transactions.was_committed(committed, deadline)
        assert not await transactions.was_committed(never, deadline)
    await pool.close()
