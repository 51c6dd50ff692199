"""The token of a response covers the version that the response names, always."""

import asyncio

import httpx

from tests.command_service.blocking import blocked_batches, until_queued
from tests.command_service.shop import add_product, fetch
from tests.support.database import Database


async def test_equal_commands_of_one_batch_have_tokens_that_cover_their_version(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    products = [await add_product(commands) for _ in range(5)]
    async with blocked_batches(commands, migrated_database):
        body = {"price": {"amount": 999, "currency": "EUR"}}
        changes = [
            asyncio.ensure_future(
                commands.put(
                    f"/v1/products/{id}/price", json=body, headers={"Idempotency-Key": f"{id} {n}"}
                )
            )
            for id in products
            for n in range(3)
        ]
        await until_queued(commands, len(changes))
    for response in await asyncio.gather(*changes):
        assert response.status_code == 200, response.text
        await check_token(migrated_database, response)
    for id in products:  # and so do the stored ones
        for n in range(3):
            headers = {"Idempotency-Key": f"{id} {n}"}
            again = await commands.put(f"/v1/products/{id}/price", json=body, headers=headers)
            assert again.headers["idempotent-replayed"] == "true"
            await check_token(migrated_database, again)


async def check_token(database: Database, response: httpx.Response) -> None:
    shard, position = response.headers["consistency-token"].split(":")
    id, version = response.json()["id"], response.json()["version"]
    (row,) = await fetch(
        database,
        f"""SELECT max((data->>'version')::int) AS version FROM log
            WHERE subject = '{id}' AND shard = '{shard}' AND position <= {position}""",
    )
    assert row["version"] is not None
    assert row["version"] >= version
