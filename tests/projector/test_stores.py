"""The contract of every store: in Redis, in a cluster, and in memory."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from projector.redis_cluster_store import RedisClusterStore
from projector.redis_store import RedisStore
from projector.store import Store, WriteBatch
from shared.contracts.views import Checkpoint, Head, checkpoint_key, head_key
from shared.redis.clients import redis_cluster
from tests.projector.memory_store import MemoryStore
from tests.support.expected_views import Content, content_in_redis
from tests.support.redis_nodes import RedisNodes

SHARD = "orders.7"
KEY = "{orders.7}:document:a"
SET = "{orders.7}:ids"


class InMemory:
    def __init__(self) -> None:
        self.memory = MemoryStore()
        self.store: Store = self.memory

    async def content(self) -> Content:
        return self.memory.content(SHARD)


class InRedis:
    """`admin_url` is that of the shard's node."""

    def __init__(self, store: Store, admin_url: str) -> None:
        self.store = store
        self._admin_url = admin_url

    async def content(self) -> Content:
        async with Redis.from_url(self._admin_url) as admin:
            return await content_in_redis(admin, SHARD)

    async def value(self, key: str) -> bytes | None:
        async with Redis.from_url(self._admin_url) as admin:
            found: Any = await admin.get(key)
            return cast("bytes | None", found)


@pytest.fixture
async def single(redis: Redis, redis_url: str, redis_projector_url: str) -> AsyncIterator[InRedis]:
    async with Redis.from_url(redis_projector_url) as client:
        yield InRedis(RedisStore(client), redis_url)


@pytest.fixture
async def cluster(redis_nodes: RedisNodes) -> AsyncIterator[InRedis]:
    redis_nodes.flush()
    cluster = redis_cluster(redis_nodes.url("tandem_projector"), "test")
    yield InRedis(RedisClusterStore(cluster), redis_nodes.admin_of(SHARD))
    await cluster.aclose()


@pytest.fixture(params=["single", "cluster"])
def in_redis(request: pytest.FixtureRequest) -> InRedis:
    in_redis: InRedis = request.getfixturevalue(request.param)
    return in_redis


@pytest.fixture(params=["memory", "single", "cluster"])
def subject(request: pytest.FixtureRequest) -> "InMemory | InRedis":
    if request.param == "memory":
        return InMemory()
    in_redis: InRedis = request.getfixturevalue(request.param)
    return in_redis


Subject = InMemory | InRedis
Ids = dict[str, list[str]]


def at(position: int, values: Mapping[str, bytes | None] | None = None, **lists: Ids) -> WriteBatch:
    checkpoint = Checkpoint(position, position - 1, f"e{position}")
    return WriteBatch(checkpoint, dict(values or {}), **lists)


async def test_a_new_store_is_empty(subject: Subject) -> None:
    assert await subject.store.load(SHARD, [KEY]) == (None, [None])


async def test_a_batch_is_written_with_its_checkpoint(subject: Subject) -> None:
    assert await subject.store.write(SHARD, b"", at(1, values={KEY: b"x"}, added={SET: ["a", "b"]}))
    assert await subject.store.load(SHARD, [KEY, "{orders.7}:none"]) == (b"1 0 e1 0", [b"x", None])
    assert await subject.content() == Content({KEY: b"x"}, {SET: {"a", "b"}})


async def test_a_batch_deletes_values_and_removes_ids(subject: Subject) -> None:
    assert await subject.store.write(SHARD, b"", at(1, values={KEY: b"x"}, added={SET: ["a", "b"]}))
    second = at(2, values={KEY: None}, removed={SET: ["a", "c"]})
    assert await subject.store.write(SHARD, b"1 0 e1 0", second)
    assert await subject.content() == Content({}, {SET: {"b"}})


@pytest.mark.parametrize("expected", [b"", b"1 0 e1 1", b"0 -1 - 0"])
async def test_another_checkpoint_writes_nothing(subject: Subject, expected: bytes) -> None:
    assert await subject.store.write(SHARD, b"", at(1, values={KEY: b"x"}))
    assert not await subject.store.write(SHARD, expected, at(2, values={KEY: b"y"}))
    assert not await subject.store.purge(SHARD, expected)
    assert await subject.store.load(SHARD, [KEY]) == (b"1 0 e1 0", [b"x"])


async def test_a_batch_may_exceed_the_stack_of_lua(subject: Subject) -> None:
    ids = [f"{number:06}" for number in range(9001)]
    values: dict[str, bytes | None] = {f"{{orders.7}}:document:{id}": b"x" for id in ids}
    assert await subject.store.write(SHARD, b"", at(1, values=values, added={SET: ids}))
    found = await subject.content()
    assert (len(found.values), found.members[SET]) == (9001, set(ids))
    last = at(2, values=dict.fromkeys(values), removed={SET: ids})
    assert await subject.store.write(SHARD, b"1 0 e1 0", last)
    assert await subject.content() == Content()


async def test_a_purge_does_not_affect_other_shards(subject: Subject) -> None:
    values: dict[str, bytes | None] = {f"{{orders.7}}:document:{n}": b"x" for n in range(3000)}
    assert await subject.store.write(SHARD, b"", at(1, values=values, added={SET: ["a"]}))
    assert await subject.store.write("orders.70", b"", at(4, values={"{orders.70}:x": b"1"}))
    assert await subject.store.purge(SHARD, b"1 0 e1 0")
    assert await subject.content() == Content()
    assert (await subject.store.load(SHARD, []))[0] == b"1 0 e1 0"
    assert await subject.store.load("orders.70", ["{orders.70}:x"]) == (b"4 3 e4 0", [b"1"])


async def test_heads_are_written_beside_the_checkpoint(in_redis: InRedis) -> None:
    await in_redis.store.write_head(SHARD, Head(5, 2, 1))
    assert await in_redis.value(head_key(SHARD)) == b"5 2 1"
    assert await in_redis.value(checkpoint_key(SHARD)) is None
