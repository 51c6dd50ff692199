"""Erasing a user removes personal data from the event log, in steps that delay no other command."""

import asyncio
import json

import asyncpg
import httpx

from tests.command_service.blocking import blocked_batches, until_queued
from tests.command_service.shop import add_product, create_user, fetch, order
from tests.support.database import Database
from tests.support.waiting import until

SECRET = "Ada Lovelace-Byron"


async def personal_values(database: Database, value: str) -> list[str]:
    rows = await fetch(database, f"SELECT type FROM log WHERE data::text LIKE '%{value}%'")
    return sorted(row["type"] for row in rows)


async def erased(database: Database) -> bool:
    rows = await fetch(database, "SELECT 1 FROM erasures WHERE NOT finished")
    return rows == []


async def test_a_rename_and_the_erasure_in_one_batch_leave_no_name(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    users = [await create_user(commands, f"ada{n}@example.com") for n in range(10)]
    async with blocked_batches(commands, migrated_database):
        pairs = []
        for user in users:
            name = commands.put(f"/v1/users/{user}/name", json={"name": SECRET})
            pairs += [asyncio.ensure_future(name)]
        await until_queued(commands, len(users))
        pairs += [asyncio.ensure_future(commands.delete(f"/v1/users/{user}")) for user in users]
        await until_queued(commands, 2 * len(users))
    statuses = [response.status_code for response in await asyncio.gather(*pairs)]
    assert statuses[10:] == [200] * 10
    assert set(statuses[:10]) <= {200, 404}
    await until(lambda: erased(migrated_database), "the erasures are finished")
    assert await personal_values(migrated_database, SECRET) == []


async def test_everything_personal_of_an_order_goes_and_later_values_are_not_stored(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    customer, product = await create_user(commands), await add_product(commands)
    body = {**order(customer, (product, 1)), "shipping_address": f"{SECRET} Street"}
    ids = [(await commands.post("/v1/orders", json=body)).json()["id"] for _ in range(4)]
    label = {"carrier": f"{SECRET} Post", "tracking_number": f"{SECRET} 1"}
    await commands.post(f"/v1/orders/{ids[0]}/ship", json=label)
    await commands.post(f"/v1/orders/{ids[1]}/cancel", json={"reason": f"{SECRET} moved"})
    assert len(await personal_values(migrated_database, SECRET)) == 6
    await commands.delete(f"/v1/users/{customer}")
    await until(lambda: erased(migrated_database), "the erasure is finished")
    assert await personal_values(migrated_database, SECRET) == []
    # The orders go on, without personal data.
    assert (await commands.post(f"/v1/orders/{ids[2]}/ship", json=label)).status_code == 200
    reason = {"reason": f"{SECRET} moved"}
    assert (await commands.post(f"/v1/orders/{ids[3]}/cancel", json=reason)).status_code == 200
    assert await personal_values(migrated_database, SECRET) == []
    (shipped,) = await fetch(
        migrated_database,
        f"SELECT data FROM log WHERE type = 'order.shipped' AND subject = '{ids[2]}'",
    )
    assert json.loads(shipped["data"])["carrier"] is None


async def test_a_user_with_many_events_is_erased_while_others_are_served(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    user, product = await create_user(commands, "many@example.com"), await add_product(commands)
    connection = await asyncpg.connect(migrated_database.admin_url)
    await connection.execute(
        """INSERT INTO log (shard, position, event_id, type, subject, time, data)
           SELECT l.shard, l.position + n, gen_random_uuid(), 'user.renamed', l.subject, now(),
                  json_build_object('id', l.subject, 'version', n + 1, 'name', $2::text)
           FROM log AS l, generate_series(1, 100000) AS n WHERE l.subject = $1""",
        user,
        SECRET,
    )
    await connection.execute("UPDATE users SET version = 100001 WHERE id = $1", user)
    await connection.close()
    response = await commands.delete(f"/v1/users/{user}")
    assert response.status_code == 200, response.text
    statuses: list[int] = []
    while not await erased(migrated_database):
        price = {"price": {"amount": len(statuses), "currency": "EUR"}}
        started = asyncio.get_running_loop().time()
        response = await commands.put(f"/v1/products/{product}/price", json=price)
        assert asyncio.get_running_loop().time() - started < 5
        statuses.append(response.status_code)
    assert set(statuses) <= {200}
    assert await personal_values(migrated_database, SECRET) == []


async def test_the_command_service_s_role_can_erase_nothing_of_others(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    user = await create_user(commands)
    connection = await asyncpg.connect(migrated_database.command_service_url)
    try:
        await connection.execute("SELECT erase(ARRAY[$1::uuid], ARRAY['name'])", user)
        await connection.execute("SELECT erase_events($1, 0, 10, ARRAY['name'])", user)
    finally:
        await connection.close()
    assert await personal_values(migrated_database, "Ada") == ["user.created"]
