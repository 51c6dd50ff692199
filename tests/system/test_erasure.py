"""Erasure removes the name, email and address of a user from all stores and logs."""

import uuid

import asyncpg
from redis.asyncio import Redis

from tests.support.shop import Shop
from tests.support.stack import Stack
from tests.support.topics import read_topic
from tests.support.waiting import until

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


async def test_erasure_removes_personal_data_from_all_stores(stack: Stack, shop: Shop) -> None:
    canary = f"canary{uuid.uuid4().hex}"
    user = await shop.user(canary, f"{canary}@example.com")
    product = await shop.product()
    body = {
        "customer_id": user,
        "items": [{"product_id": product, "quantity": 1}],
        "shipping_address": f"{canary} street",
    }
    placed = await shop.send("POST", "/v1/orders", body, Idempotency_Key=canary[:20])
    id = placed.json()["id"]
    assert canary in (await shop.query(f"/v1/orders/{id}", Prefer="wait=10")).text
    assert await _redis_contains(stack, canary)

    erased = await shop.send("DELETE", f"/v1/users/{user}")
    assert erased.status_code == 200
    assert (await shop.query(f"/v1/users/{user}", Prefer="wait=10")).status_code == 404
    assert (await shop.query(f"/v1/users/{user}/orders")).status_code == 404
    assert (await shop.query(f"/v1/users/{user}/history")).status_code == 404

    async def anonymized() -> bool:
        order = (await shop.query(f"/v1/orders/{id}", "")).json()
        return order["customer_name"] is None and order["shipping_address"] is None

    await until(anonymized, "the order is anonymized", seconds=60)
    history = (await shop.query(f"/v1/orders/{id}/history")).json()["items"]
    assert [item["type"] for item in history] == ["order.placed", "order.anonymized"]
    assert history[0]["data"]["customer_name"] is None
    assert not await _redis_contains(stack, canary)
    assert not await _postgres_contains(stack, canary)
    assert canary not in stack.logs()
    created = await shop.send("POST", "/v1/users", {"name": "B", "email": f"{canary}@example.com"})
    assert created.status_code == 201


async def test_the_products_topic_has_no_personal_data(stack: Stack, shop: Shop) -> None:
    canary = f"canary{uuid.uuid4().hex}"
    user, product = await shop.user(canary), await shop.product()
    id = (await shop.order(user, (product, 1))).json()["id"]
    assert (await shop.query(f"/v1/products/{product}", Prefer="wait=10")).json()["version"] == 2
    partitions = await read_topic(stack.kafka.bootstrap_servers, "products")
    records = [record for partition in partitions.values() for record in partition]
    reserved = [record for record in records if id.encode() in record.data]
    assert [record.actor for record in reserved] == [None]
    assert not [record for record in records if canary.encode() in record.data]


async def _redis_contains(stack: Stack, canary: str) -> bool:
    async with Redis.from_url(stack.valkey.url()) as redis:
        async for key in redis.scan_iter(count=1000):
            is_string = await redis.type(key) == b"string"
            value = await redis.get(key) if is_string else await redis.dump(key)
            if canary.encode() in key + (value or b""):
                return True
    return False


async def _postgres_contains(stack: Stack, canary: str) -> bool:
    connection = await asyncpg.connect(stack.database.admin_url)
    try:
        for (table,) in await connection.fetch(TABLES):
            rows = await connection.fetch(f"SELECT t::text AS text FROM {table} AS t")
            if any(canary in row["text"] for row in rows):
                return True
    finally:
        await connection.close()
    return False
