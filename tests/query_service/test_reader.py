"""Reads that share round trips, on a real Valkey."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from deploy.local.servers import Valkey
from query_service.metrics import Metrics
from query_service.redis_reader import RedisReader
from shared.http.problems import Problem
from shared.redis import redis_client

NOTHING = "{users.0}:nothing"
KEYS = [f"{{users.{i % 12}}}:document:{i}" for i in range(300)]


@pytest.fixture
async def reader(valkey: Valkey) -> AsyncIterator[RedisReader]:
    async with Redis.from_url(valkey.url()) as admin:
        await admin.mset({key: key.encode() for key in KEYS})
    client = redis_client(valkey.url("tandem_query_service"), "test")
    reader = RedisReader(client, Metrics(CollectorRegistry()).batch_keys)
    yield reader
    await reader.close()
    await client.aclose()


async def test_five_thousand_cancelled_reads_hand_nobody_anothers_bytes(
    reader: RedisReader,
) -> None:
    dice = random.Random(7)
    wrong: list[object] = []
    cancelled = answered = 0

    async def read() -> None:
        first, second = dice.choices(KEYS, k=2)
        if dice.random() < 0.7:
            found = await reader.get((first, second, NOTHING))
        else:
            values, replies = await reader.read([first], [("GET", second), ("GET", NOTHING)])
            found = [*values, *replies]
        if found != [first.encode(), second.encode(), None]:
            wrong.append(found)

    for _ in range(250):
        tasks = [asyncio.create_task(read()) for _ in range(40)]
        for _ in range(dice.randrange(4)):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            cancelled += isinstance(outcome, asyncio.CancelledError)
            answered += outcome is None
    assert wrong == []
    assert cancelled == 5000
    assert answered == 5000


async def test_reads_of_one_moment_share_a_round_trip(reader: RedisReader, valkey: Valkey) -> None:
    async with Redis.from_url(valkey.url()) as admin:
        await reader.get(KEYS[:1])
        before = (await admin.info("commandstats"))["cmdstat_mget"]["calls"]
        await asyncio.gather(*(reader.get((key,)) for key in KEYS))
        after = (await admin.info("commandstats"))["cmdstat_mget"]["calls"]
    assert after - before == 1


async def test_without_redis_every_reader_is_told(valkey: Valkey) -> None:
    client = redis_client("redis://127.0.0.1:1/0", "test")
    reader = RedisReader(client, Metrics(CollectorRegistry()).batch_keys)
    reads = [reader.get(("a",)), reader.read(["a"], [("ZCARD", "b")]), reader.read(["b"])]
    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    assert [isinstance(o, Problem) and o.name for o in outcomes] == ["unavailable"] * 3
    await reader.close()
    await client.aclose()
