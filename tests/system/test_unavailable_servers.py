"""What remains available while a server or a process is down, and the recovery afterwards."""

import signal

from redis.asyncio import Redis

from tests.support.servers import Kafka, Postgres, Valkey
from tests.support.shop import Shop
from tests.support.stack import Stack
from tests.support.waiting import until


async def _wait_caught_up(shop: Shop) -> None:
    """Returns when the views are caught up."""

    async def caught_up() -> bool:
        response = await shop.query("/v1/projections", "")
        return response.status_code == 200 and response.json()["lag"] == 0

    await until(caught_up, "the views are caught up", seconds=60)


async def _wait_for_status(shop: Shop, path: str, status: int, token: str = "") -> None:
    """Until then the response may only be 503, 412, or 404 without a token."""

    async def has_status() -> bool:
        response = await shop.query(path, token, Prefer="wait=10")
        assert response.status_code in (status, 404 if not token else 412, 503), response.text
        return response.status_code == status

    await until(has_status, f"{path} returns {status}", seconds=60)


async def test_reads_return_503_until_an_emptied_redis_has_caught_up(
    shop: Shop, valkey: Valkey
) -> None:
    customer, product = await shop.user(), await shop.product()
    id = (await shop.order(customer, (product, 1))).json()["id"]
    before = await shop.query(f"/v1/orders/{id}", Prefer="wait=10")
    assert before.status_code == 200
    async with Redis.from_url(valkey.url()) as redis:
        await redis.flushall()
    statuses = set()

    async def caught_up() -> bool:
        response = await shop.query(f"/v1/orders/{id}", "")
        statuses.add(response.status_code)
        assert response.status_code in (200, 503)
        listed = await shop.query("/v1/orders", "")
        assert listed.status_code in (200, 503)
        if listed.status_code == 200:
            assert id in [item["id"] for item in listed.json()["items"]]
        return response.status_code == 200 and listed.status_code == 200

    await until(caught_up, "the views are caught up", seconds=60)
    after = await shop.query(f"/v1/orders/{id}", "")
    assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])


async def test_without_postgresql_reads_continue_and_commands_return_503(
    shop: Shop, postgres: Postgres
) -> None:
    user = await shop.user()
    assert (await shop.query(f"/v1/users/{user}", Prefer="wait=10")).status_code == 200
    postgres.kill()
    try:
        assert (await shop.query(f"/v1/users/{user}")).status_code == 200
        rejected = await shop.send("PUT", f"/v1/users/{user}/name", {"name": "X"})
        assert (rejected.status_code, rejected.headers["retry-after"]) == (503, "1")
    finally:
        postgres.start()
    written = await shop.send("PUT", f"/v1/users/{user}/name", {"name": "Y"})
    assert written.status_code == 200
    read = await shop.query(f"/v1/users/{user}", Prefer="wait=30")
    assert read.json()["name"] == "Y"


async def test_without_kafka_commands_are_accepted_and_published_later(
    shop: Shop, kafka: Kafka
) -> None:
    user = await shop.user()
    kafka.kill()
    try:
        assert (await shop.query(f"/v1/users/{user}", "")).status_code in (200, 404)
        written = await shop.send("PUT", f"/v1/users/{user}/name", {"name": "Z"})
        assert written.status_code == 200
    finally:
        kafka.start()
    read = await shop.query(f"/v1/users/{user}", Prefer="wait=30")
    assert (read.status_code, read.json()["name"]) == (200, "Z")


async def test_without_redis_commands_are_accepted_and_reads_return_503(
    shop: Shop, valkey: Valkey
) -> None:
    user = await shop.user()
    assert (await shop.query(f"/v1/users/{user}", Prefer="wait=10")).status_code == 200
    valkey.kill()
    try:
        written = await shop.send("PUT", f"/v1/users/{user}/name", {"name": "W"})
        assert written.status_code == 200
        rejected = await shop.query(f"/v1/users/{user}", "")
        assert rejected.status_code == 503
        assert rejected.headers["retry-after"]
    finally:
        valkey.start()
    await _wait_caught_up(shop)
    await _wait_for_status(shop, f"/v1/users/{user}", 200)
    assert (await shop.query(f"/v1/users/{user}", Prefer="wait=30")).json()["name"] == "W"


async def test_no_order_is_lost_when_each_process_is_killed_in_turn(
    stack: Stack, shop: Shop
) -> None:
    customer, product = await shop.user(), await shop.product()
    for name in ("relay", "projector", "query-service", "command-service"):
        process = stack[name]
        process.signal(signal.SIGKILL)
        process.wait()
        process.start()
        await process.ready()
        id = (await shop.order(customer, (product, 1), Idempotency_Key=name)).json()["id"]
        await _wait_for_status(shop, f"/v1/orders/{id}", 200, shop.token)
