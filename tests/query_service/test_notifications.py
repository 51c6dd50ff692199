"""Waiting reads are woken by the checkpoints that projectors publish; polling is the safety net."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx
from redis.asyncio import Redis

from query_service.notifications import (
    GroupByClient,
    Notifications,
    group_by_cluster_client,
    group_by_single_client,
)
from shared.contracts.events import UserRenamed
from shared.contracts.shards import DEFAULT_PARTITIONS, all_shards
from shared.contracts.views import checkpoint_key
from shared.redis.clients import redis_client, redis_cluster
from tests.projector.test_redis_cluster import SlotMigration
from tests.query_service.conftest import Settings, serving
from tests.query_service.shop import Shop, token
from tests.query_service.test_consistency import until_reads_wait
from tests.support.identity import Identity
from tests.support.redis_nodes import RedisNodes
from tests.support.servers import Valkey
from tests.support.waiting import until

SHARDS = all_shards(DEFAULT_PARTITIONS)


@asynccontextmanager
async def receiving(group: GroupByClient) -> AsyncIterator[tuple[Notifications, list[str]]]:
    """Active notifications, and the shards that they have received."""
    notifications = Notifications(group, SHARDS)
    received: list[str] = []
    task = asyncio.create_task(notifications.run(lambda shard, _checkpoint: received.append(shard)))
    notifications.need()
    await until(partial(is_active, notifications), "the notifications are active")
    yield notifications, received
    task.cancel()
    await asyncio.wait([task])


async def is_active(notifications: Notifications) -> bool:
    return notifications.active


async def subscriptions(admin: Redis) -> int:
    info = await admin.info("clients")
    return int(info["pubsub_clients"])


async def test_a_waiting_read_is_woken_by_a_message_and_polls_no_longer(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    latencies = []
    for version in range(2, 8):
        record = shop.record(UserRenamed(id=user, version=version, name="Grace"))
        headers = {"Consistency-Token": token(record), "Prefer": "wait=20"}
        reading = asyncio.create_task(queries.get(f"/v1/users/{user}", headers=headers))
        await until_reads_wait(queries)
        if version == 2:
            await asyncio.sleep(1)
        before = (await shop.admin.info("stats"))["total_commands_processed"]
        await asyncio.sleep(0.4)
        commands = (await shop.admin.info("stats"))["total_commands_processed"] - before
        assert commands < 10
        started = time.monotonic()
        await shop.fold(record)
        assert (await reading).json()["version"] == version
        latencies.append(time.monotonic() - started)
    assert min(latencies) < 0.1


async def test_a_lost_message_costs_latency_only(shop: Shop, queries: httpx.AsyncClient) -> None:
    user = await shop.user()
    record = shop.record(UserRenamed(id=user, version=2, name="Grace"))
    headers = {"Consistency-Token": token(record), "Prefer": "wait=20"}
    reading = asyncio.create_task(queries.get(f"/v1/users/{user}", headers=headers))
    await until_reads_wait(queries)
    await asyncio.sleep(0.5)
    await shop.set_checkpoint(record.shard, record.position)
    started = time.monotonic()
    assert (await reading).status_code == 200
    assert time.monotonic() - started < 1


async def test_without_waiting_reads_nothing_is_subscribed(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    assert (await queries.get(f"/v1/users/{user}")).status_code == 200
    assert await subscriptions(shop.admin) == 0


async def test_killed_subscriptions_are_renewed(shop: Shop, valkey: Valkey) -> None:
    client = redis_client(valkey.url("tandem_query_service"), "test")
    async with receiving(partial(group_by_single_client, client)) as (notifications, received):
        await shop.user()
        await until(partial(has_received, received, 1), "a message")
        await shop.admin.client_kill_filter(_type="pubsub")
        await until(partial(is_inactive, notifications), "the interruption is noticed")
        notifications.need()
        await until(partial(is_active, notifications), "the notifications are active again")
        await shop.user()
        await until(partial(has_received, received, 2), "another message")
    await client.aclose()


async def has_received(received: list[str], count: int) -> bool:
    return len(received) >= count


async def is_inactive(notifications: Notifications) -> bool:
    return not notifications.active


async def test_a_service_without_the_permission_to_subscribe_polls(
    shop: Shop, valkey: Valkey, settings: Settings, identity: Identity
) -> None:
    """As during an upgrade, before the new Redis users have been set."""
    await shop.admin.acl_setuser(
        "old", enabled=True, passwords=["+x"], keys=["*"], commands=["+@all", "-ssubscribe"]
    )
    url = f"redis://old:x@127.0.0.1:{valkey.port}/0"
    user = await shop.user()
    async with serving(settings(redis_url=url), identity) as queries:
        record = shop.record(UserRenamed(id=user, version=2, name="Grace"))
        headers = {"Consistency-Token": token(record), "Prefer": "wait=20"}
        reading = asyncio.create_task(queries.get(f"/v1/users/{user}", headers=headers))
        await until_reads_wait(queries)
        await shop.fold(record)
        assert (await reading).json()["version"] == 2
    await shop.admin.acl_deluser("old")


async def test_in_a_cluster_messages_follow_a_slot_that_moves(redis_nodes: RedisNodes) -> None:
    redis_nodes.flush()
    cluster = redis_cluster(redis_nodes.url("tandem_query_service"), "test")
    projector = redis_cluster(redis_nodes.url("tandem_projector"), "test")

    async def publish(shard: str) -> None:
        await projector.run(
            shard,
            lambda node: node.client.execute_command(  # type: ignore[no-untyped-call]
                "SPUBLISH", checkpoint_key(shard), b"1 0 e 0"
            ),
        )

    async with receiving(partial(group_by_cluster_client, cluster)) as (notifications, received):
        for shard in SHARDS:
            await publish(shard)
        await until(partial(has_received, received, len(SHARDS)), "a message of each shard")
        assert set(received) == set(SHARDS)
        migration = SlotMigration(redis_nodes)
        migration.start()
        migration.finish()

        async def moved() -> bool:
            notifications.need()
            await publish("orders.7")
            return received[len(SHARDS) :].count("orders.7") > 0 and notifications.active

        await until(moved, "a message from the new node")
    await cluster.aclose()
    await projector.aclose()
