"""The contract of every store: in Redis, in a cluster, and in memory."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from projector.redis_cluster_store import RedisClusterStore
from projector.redis_store import RedisStore
from projector.store import Store, WriteBatch
from shared.contracts.views import (
    BUILDING,
    Checkpoint,
    Head,
    Spare,
    checkpoint_key,
    head_key,
    owner_key,
    spare_key,
    sweep_key,
)
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
    return WriteBatch(checkpoint, dict(values or {}), **cast("Any", lists))


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


GENERATION = "gtp7wfc"
LIVE = Checkpoint(5, 4, "e5", 0, GENERATION, 1, "aaaaaaaa")
SPARE = Spare(BUILDING, 1, Checkpoint(7, -1, "e7", 0, "gtp7wfd", 2, "bbbbbbbb"))


async def test_a_spare_is_written_if_it_is_unchanged(subject: Subject) -> None:
    changes = {spare_key(SHARD): SPARE.encode()}
    assert await subject.store.replace(SHARD, changes, b"")
    assert not await subject.store.replace(SHARD, changes, b"")
    later = WriteBatch(replace(SPARE.checkpoint, position=8), {KEY: b"x"}, spare=(BUILDING, 1))
    assert not await subject.store.write(SHARD, b"", later)
    assert await subject.store.write(SHARD, SPARE.encode(), later)
    assert await subject.store.load(SHARD, [spare_key(SHARD), KEY]) == (
        None,
        [Spare(BUILDING, 1, later.checkpoint).encode(), b"x"],
    )


async def switched(in_redis: InRedis, live: bytes, spare: Spare) -> tuple[str, list[bytes | None]]:
    """The reply for these values, and checkpoint and spare afterwards."""
    shard = {checkpoint_key(SHARD): live, spare_key(SHARD): spare.encode()}
    assert await in_redis.store.replace(SHARD, {**shard}, b"")
    names = LIVE.generation, SPARE.checkpoint.generation
    reply = await in_redis.store.switch(SHARD, *names, BUILDING, "cccccccc", 9)
    stored, found = await in_redis.store.load(SHARD, [spare_key(SHARD)])
    return reply, [stored, *found]


async def test_a_cutover_exchanges_live_and_spare(in_redis: InRedis) -> None:
    assert await switched(in_redis, LIVE.encode(), SPARE) == (
        "switched",
        [b"7 4 e7 0 gtp7wfd 2 cccccccc", b"kept 9 5 4 e5 0 gtp7wfc 1 aaaaaaaa"],
    )


@pytest.mark.parametrize(
    ("live", "spare", "reply"),
    [
        (replace(LIVE, position=8), SPARE, "behind"),
        (replace(LIVE, target=8), SPARE, "behind"),
        (replace(LIVE, generation="gtp7wfb"), SPARE, "changed"),
        (LIVE, Spare("kept", 1, SPARE.checkpoint), "changed"),
        (LIVE, Spare(BUILDING, 1, replace(SPARE.checkpoint, generation="gtp7wff")), "changed"),
    ],
)
async def test_a_cutover_is_rejected(
    in_redis: InRedis, live: Checkpoint, spare: Spare, reply: str
) -> None:
    expected = reply, [live.encode(), spare.encode()]
    assert await switched(in_redis, live.encode(), spare) == expected


async def test_the_first_generation_has_four_words_again_after_a_rollback(
    in_redis: InRedis,
) -> None:
    shard = {checkpoint_key(SHARD): b"5 4 e5 0", spare_key(SHARD): SPARE.encode()}
    assert await in_redis.store.replace(SHARD, {**shard}, b"")
    new = SPARE.checkpoint.generation
    assert await in_redis.store.switch(SHARD, "-", new, BUILDING, "cccccccc", 9) == "switched"
    _, (spare,) = await in_redis.store.load(SHARD, [spare_key(SHARD)])
    assert spare == b"kept 9 5 4 e5 0 - 1 -"
    caught_up = Spare.decode(spare)
    caught_up = replace(caught_up, checkpoint=replace(caught_up.checkpoint, position=7))
    assert await in_redis.store.replace(SHARD, {spare_key(SHARD): caught_up.encode()}, spare)
    assert await in_redis.store.switch(SHARD, new, "-", "kept", "dddddddd", 9) == "switched"
    assert (await in_redis.store.load(SHARD, []))[0] == b"7 4 e5 0"


async def test_a_sweep_deletes_only_generations_that_are_not_named(in_redis: InRedis) -> None:
    store = in_redis.store
    old = [f"{{orders.7}}:document:{n}" for n in range(1500)] + ["{orders.7}:gtp5lnc:ids"]
    named = ["{orders.7}:gtp7wfc:document:1", "{orders.7}:gtp7wfd:document:1"]
    own = {
        checkpoint_key(SHARD): LIVE.encode(),
        spare_key(SHARD): SPARE.encode(),
        sweep_key(SHARD): b"mark -",
        head_key(SHARD): b"1 1 1",
        owner_key(SHARD): b"1 1",
    }
    kept = {**own, **dict.fromkeys(named, b"x")}
    assert await store.replace(SHARD, {**kept, **dict.fromkeys(old, b"x")}, b"")
    other = {checkpoint_key("orders.70"): LIVE.encode(), "{orders.70}:document:1": b"x"}
    assert await store.replace("orders.70", {**other}, b"")
    assert await store.sweep({SHARD: b"another -"}) == {SHARD: -1}
    assert await store.sweep({SHARD: b"mark -"}) == {SHARD: len(old)}
    assert await store.sweep({SHARD: b"mark -"}) == {SHARD: 0}
    assert (await store.load(SHARD, [*old, *kept]))[1] == [None] * len(old) + [*kept.values()]
    assert (await store.load("orders.70", [*other]))[1] == [*other.values()]


async def test_nothing_is_swept_without_a_readable_checkpoint(in_redis: InRedis) -> None:
    keys = {sweep_key(SHARD): b"mark -", KEY: b"x", checkpoint_key(SHARD): b"unreadable"}
    assert await in_redis.store.replace(SHARD, {**keys}, b"")
    assert await in_redis.store.sweep({SHARD: b"mark -"}) == {SHARD: -1}
    assert (await in_redis.store.load(SHARD, [KEY]))[1] == [b"x"]


async def test_heads_are_written_beside_the_checkpoint(in_redis: InRedis) -> None:
    await in_redis.store.write_head(SHARD, Head(5, 2, 1), b"2 1")
    assert await in_redis.value(head_key(SHARD)) == b"5 2 1"
    assert await in_redis.value(owner_key(SHARD)) == b"2 1"
    assert await in_redis.value(checkpoint_key(SHARD)) is None
