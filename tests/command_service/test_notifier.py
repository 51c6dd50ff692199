"""Relays are notified of the shards that got events, and of no others."""

from collections.abc import Awaitable, Callable

import asyncpg
import httpx

from command_service.notifier import format_payload
from shared.contracts.shards import DEFAULT_PARTITIONS, shard_of
from shared.contracts.tokens import parse_token
from shared.event_log import COMMIT_CHANNEL
from tests.command_service.shop import add_product, create_user, order
from tests.support.database import Database
from tests.support.waiting import until


async def test_a_commit_names_the_shards_of_its_events(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    payloads: list[str] = []
    connection = await asyncpg.connect(migrated_database.admin_url)
    await connection.add_listener(COMMIT_CHANNEL, lambda *args: payloads.append(args[-1]))
    customer, product = await create_user(commands), await add_product(commands)
    earlier = {shard_of("users", customer, DEFAULT_PARTITIONS)}
    earlier.add(shard_of("products", product, DEFAULT_PARTITIONS))
    await until(_all_named(payloads, earlier), "the relays are notified")
    payloads.clear()
    response = await commands.post("/v1/orders", json=order(customer, (product, 1)))
    shards = set(parse_token(response.headers["consistency-token"], DEFAULT_PARTITIONS))
    await until(_all_named(payloads, shards), "the relays are notified")
    rejected = await commands.post("/v1/orders", json=order(customer, (product, 9999)))
    assert rejected.status_code == 409
    later = shard_of("users", await create_user(commands, "later@example.com"), DEFAULT_PARTITIONS)
    await until(_all_named(payloads, {later}), "the relays are notified of the last commit")
    assert set(",".join(payloads).split(",")) == {*shards, later}
    await connection.close()


def _all_named(payloads: list[str], shards: set[str]) -> Callable[[], Awaitable[bool]]:
    async def all_named() -> bool:
        return shards <= set(",".join(payloads).split(","))

    return all_named


def test_shards_that_do_not_fit_are_notified_by_an_empty_payload() -> None:
    assert format_payload({"orders.1", "users.2"}) == "orders.1,users.2"
    assert format_payload({f"orders.{n}" for n in range(4096)}) == ""
