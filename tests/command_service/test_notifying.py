"""Relays are told which shards got events, and of nothing else."""

from collections.abc import Awaitable, Callable

import asyncpg
import httpx

from command_service.notifier import payload
from shared.contracts.shards import DEFAULT_PARTITIONS, shard_of
from shared.contracts.tokens import parse_token
from tests.command_service.shop import add_product, create_user, order
from tests.support.database import Database
from tests.support.waiting import until


async def test_a_commit_names_the_shards_of_its_events(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    heard: list[str] = []
    connection = await asyncpg.connect(migrated_database.admin_url)
    await connection.add_listener("tandem_log", lambda *args: heard.append(args[-1]))
    customer, product = await create_user(commands), await add_product(commands)
    heard_before = {shard_of("users", customer, DEFAULT_PARTITIONS)}
    heard_before.add(shard_of("products", product, DEFAULT_PARTITIONS))
    await until(_said(heard, heard_before), "the relays are told")
    heard.clear()
    answer = await commands.post("/v1/orders", json=order(customer, (product, 1)))
    shards = set(parse_token(answer.headers["consistency-token"], DEFAULT_PARTITIONS))
    await until(_said(heard, shards), "the relays are told")
    refused = await commands.post("/v1/orders", json=order(customer, (product, 9999)))
    assert refused.status_code == 409
    after = shard_of("users", await create_user(commands, "later@example.com"), DEFAULT_PARTITIONS)
    await until(_said(heard, {after}), "the relays are told of what came after")
    assert set(",".join(heard).split(",")) == {*shards, after}
    await connection.close()


def _said(heard: list[str], shards: set[str]) -> Callable[[], Awaitable[bool]]:
    async def all_named() -> bool:
        return shards <= set(",".join(heard).split(","))

    return all_named


def test_more_shards_than_fit_are_named_by_naming_none() -> None:
    assert payload({"orders.1", "users.2"}) == "orders.1,users.2"
    assert payload({f"orders.{n}" for n in range(4096)}) == ""
