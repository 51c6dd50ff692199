"""Readers combine concurrent reads into one round trip, on a real Valkey."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from query_service.cluster_reader import ClusterReader
from query_service.metrics import Metrics
from query_service.reader import Reader
from query_service.redis_reader import RedisReader
from shared.http.problems import Problem
from shared.redis.clients import redis_client, redis_cluster
from tests.support.redis_nodes import RedisNodes
from tests.support.servers import Valkey

NOTHING = "{users.0}:nothing"
KEYS = [f"{{users.{i % 12}}}:document:{i}" for i in range(300)]


@pytest.fixture
async def single(valkey: Valkey) -> AsyncIterator[Reader]:
    async with Redis.from_url(valkey.url()) as admin:
        await admin.mset({key: key.encode() for key in KEYS})
    client = redis_client(valkey.url("tandem_query_service"), "test")
    reader = RedisReader(client, Metrics(CollectorRegistry()).batch_keys)
    yield reader
    await reader.close()
    await client.aclose()


@pytest.fixture
async def cluster(redis_nodes: RedisNodes) -> AsyncIterator[Reader]:
    redis_nodes.flush()
    for key in KEYS:
        with redis_nodes.client(redis_nodes.primary_of(key[1 : key.index("}")])) as admin:
            admin.set(key, key.encode())
    cluster = redis_cluster(redis_nodes.url("tandem_query_service"), "test")
    reader = ClusterReader(cluster, Metrics(CollectorRegistry()).batch_keys)
    yield reader
    await reader.close()
    await cluster.aclose()


@pytest.fixture(params=["single", "cluster"])
def reader(request: pytest.FixtureRequest) -> Reader:
    chosen: Reader = request.getfixturevalue(request.param)
    return chosen


async def test_after_five_thousand_cancelled_reads_no_read_has_the_result_of_another(
    reader: Reader,
) -> None:
    rng = random.Random(7)
    wrong: list[object] = []
    cancelled = completed = 0

    async def read() -> None:
        first, second = rng.choices(KEYS, k=2)
        if rng.random() < 0.7:
            found = [*await reader.get((first,)), *await reader.get((second,)), None]
        else:
            values, replies = await reader.read([first], [("GET", second), ("GET", NOTHING)])
            found = [*values, *replies]
        if found != [first.encode(), second.encode(), None]:
            wrong.append(found)

    for _ in range(250):
        tasks = [asyncio.create_task(read()) for _ in range(40)]
        for _ in range(rng.randrange(4)):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            cancelled += isinstance(outcome, asyncio.CancelledError)
            completed += outcome is None
    assert wrong == []
    assert cancelled == 5000
    assert completed == 5000


async def test_concurrent_reads_share_a_round_trip(single: Reader, valkey: Valkey) -> None:
    async with Redis.from_url(valkey.url()) as admin:
        await single.get(KEYS[:1])
        before = (await admin.info("commandstats"))["cmdstat_mget"]["calls"]
        await asyncio.gather(*(single.get((key,)) for key in KEYS))
        after = (await admin.info("commandstats"))["cmdstat_mget"]["calls"]
    assert after - before == 1


async def test_in_a_cluster_concurrent_reads_share_one_mget_per_shard(
    cluster: Reader, redis_nodes: RedisNodes
) -> None:
    await cluster.get(KEYS[:1])
    before = _mgets(redis_nodes)
    await asyncio.gather(*(cluster.get((key,)) for key in KEYS))
    assert _mgets(redis_nodes) - before == 12
    values, sizes = await cluster.read(KEYS, [("ZCARD", "{users.3}:ids"), ("STRLEN", KEYS[5])])
    assert values == [key.encode() for key in KEYS]
    assert sizes == [0, len(KEYS[5])]


def _mgets(nodes: RedisNodes) -> int:
    count = 0
    for node in nodes.primaries():
        with nodes.client(node) as admin:
            count += admin.info("commandstats").get("cmdstat_mget", {"calls": 0})["calls"]
    return count


async def test_without_a_cluster_every_read_is_503() -> None:
    cluster = redis_cluster("redis://127.0.0.1:1,127.0.0.1:2/0", "test")
    reader = ClusterReader(cluster, Metrics(CollectorRegistry()).batch_keys)
    key = "{users.0}:a"
    reads = [reader.get((key,)), reader.read([key], [("ZCARD", key)]), reader.read([key])]
    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    assert [isinstance(o, Problem) and o.name for o in outcomes] == ["unavailable"] * 3
    await reader.close()
    await cluster.aclose()


async def test_without_redis_every_read_is_503(valkey: Valkey) -> None:
    client = redis_client("redis://127.0.0.1:1/0", "test")
    reader = RedisReader(client, Metrics(CollectorRegistry()).batch_keys)
    reads = [reader.get(("a",)), reader.read(["a"], [("ZCARD", "b")]), reader.read(["b"])]
    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    assert [isinstance(o, Problem) and o.name for o in outcomes] == ["unavailable"] * 3
    await reader.close()
    await client.aclose()
