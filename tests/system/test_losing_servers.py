"""What goes on when a server or a process is away, and what comes back by itself."""

import signal

from redis.asyncio import Redis

from tests.support.servers import Kafka, Postgres, Valkey
from tests.support.shop import Shop
from tests.support.stack import Stack
from tests.support.waiting import until


async def _level(shop: Shop) -> None:
    """Returns once the views are level with the log."""

    async def level() -> bool:
        answer = await shop.query("/v1/projections", "")
        return answer.status_code == 200 and answer.json()["lag"] == 0

    await until(level, "the views are level with the log", seconds=60)


async def _answers(shop: Shop, path: str, status: int, token: str = "") -> None:
    """Returns once it does; until then it may only say that it cannot answer yet."""

    async def answers() -> bool:
        answer = await shop.query(path, token, Prefer="wait=10")
        assert answer.status_code in (status, 404 if not token else 412, 503), answer.text
        return answer.status_code == status

    await until(answers, f"{path} answers {status}", seconds=60)


async def test_an_emptied_redis_says_so_and_heals(shop: Shop, valkey: Valkey) -> None:
    customer, product = await shop.user(), await shop.product()
    id = (await shop.order(customer, (product, 1))).json()["id"]
    before = await shop.query(f"/v1/orders/{id}", Prefer="wait=10")
    assert before.status_code == 200
    async with Redis.from_url(valkey.url()) as redis:
        await redis.flushall()
    statuses = set()

    async def healed() -> bool:
        answer = await shop.query(f"/v1/orders/{id}", "")
        statuses.add(answer.status_code)
        assert answer.status_code in (200, 503)
        listed = await shop.query("/v1/orders", "")
        assert listed.status_code in (200, 503)
        if listed.status_code == 200:
            assert id in [item["id"] for item in listed.json()["items"]]
        return answer.status_code == 200 and listed.status_code == 200

    await until(healed, "the views are back", seconds=60)
    after = await shop.query(f"/v1/orders/{id}", "")
    assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])


async def test_reads_go_on_while_postgresql_is_away_and_commands_answer_503(
    shop: Shop, postgres: Postgres
) -> None:
    user = await shop.user()
    assert (await shop.query(f"/v1/users/{user}", Prefer="wait=10")).status_code == 200
    postgres.kill()
    try:
        assert (await shop.query(f"/v1/users/{user}")).status_code == 200
        refused = await shop.send("PUT", f"/v1/users/{user}/name", {"name": "X"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    finally:
        postgres.start()
    written = await shop.send("PUT", f"/v1/users/{user}/name", {"name": "Y"})
    assert written.status_code == 200
    read = await shop.query(f"/v1/users/{user}", Prefer="wait=30")
    assert read.json()["name"] == "Y"


async def test_commands_are_accepted_while_kafka_is_away_and_their_events_follow(
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


async def test_commands_are_accepted_while_redis_is_away_and_reads_answer_503(
    shop: Shop, valkey: Valkey
) -> None:
    user = await shop.user()
    assert (await shop.query(f"/v1/users/{user}", Prefer="wait=10")).status_code == 200
    valkey.kill()
    try:
        written = await shop.send("PUT", f"/v1/users/{user}/name", {"name": "W"})
        assert written.status_code == 200
        refused = await shop.query(f"/v1/users/{user}", "")
        assert refused.status_code == 503
        assert refused.headers["retry-after"]
    finally:
        valkey.start()
    await _level(shop)
    await _answers(shop, f"/v1/users/{user}", 200)
    assert (await shop.query(f"/v1/users/{user}", Prefer="wait=30")).json()["name"] == "W"


async def test_each_process_is_killed_in_turn_and_nothing_is_lost(stack: Stack, shop: Shop) -> None:
    customer, product = await shop.user(), await shop.product()
    for name in ("relay", "projector", "query-service", "command-service"):
        process = stack[name]
        process.signal(signal.SIGKILL)
        process.wait()
        process.start()
        await process.ready()
        id = (await shop.order(customer, (product, 1), Idempotency_Key=name)).json()["id"]
        await _answers(shop, f"/v1/orders/{id}", 200, shop.token)
