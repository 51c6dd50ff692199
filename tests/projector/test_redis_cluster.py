"""A Redis Cluster whose slots migrate and whose primaries fail, with projector and queries."""

from collections.abc import AsyncIterator, Iterator

import pytest
from prometheus_client import CollectorRegistry
from redis.crc import key_slot
from redis.exceptions import TryAgainError

from projector.redis_cluster_store import RedisClusterStore
from projector.store import WriteBatch
from query_service.cluster_reader import ClusterReader, fetch_cluster_values
from query_service.metrics import Metrics
from shared.contracts.views import Checkpoint, Head, checkpoint_key, sweep_key
from shared.http.problems import Problem
from shared.redis.clients import REDIS_ERRORS, redis_cluster
from shared.redis.cluster import Cluster
from tests.support.redis_nodes import RedisNodes
from tests.support.servers import Valkey
from tests.support.waiting import until

SHARD = "orders.7"
KEY = "{orders.7}:document:a"
FIRST = WriteBatch(Checkpoint(1, 0, "e1"), {KEY: b"x"})
LIVE = WriteBatch(Checkpoint(1, 0, "e1", 0, "gtp7wfc", 1, "aaaaaaaa"))
SECOND = WriteBatch(Checkpoint(2, 1, "e2"), {KEY: b"y"})
STORED = b"1 0 e1 0"


@pytest.fixture
def nodes(redis_nodes: RedisNodes) -> RedisNodes:
    redis_nodes.flush()
    return redis_nodes


@pytest.fixture
async def cluster(nodes: RedisNodes) -> AsyncIterator[Cluster]:
    cluster = redis_cluster(nodes.url("tandem_projector"), "test", reply_timeout_s=1.0)
    yield cluster
    await cluster.aclose()


@pytest.fixture
async def store(cluster: Cluster) -> RedisClusterStore:
    """With a current slot map."""
    store = RedisClusterStore(cluster)
    for shard in (SHARD, "users.1"):
        await store.load(shard, [])
    return store


@pytest.fixture
async def reader(nodes: RedisNodes) -> AsyncIterator[ClusterReader]:
    cluster = redis_cluster(nodes.url("tandem_query_service"), "test", reply_timeout_s=1.0)
    reader = ClusterReader(cluster, Metrics(CollectorRegistry()).batch_keys)
    await reader.get([checkpoint_key(SHARD)])
    yield reader
    await reader.close()
    await cluster.aclose()


class SlotMigration:
    """The migration of the shard's slot to another primary, by an administrator."""

    def __init__(self, nodes: RedisNodes) -> None:
        self._nodes = nodes
        self._slot = key_slot(SHARD.encode())
        self.source = nodes.primary_of(SHARD)
        self.target = next(node for node in nodes.primaries() if node is not self.source)

    def start(self) -> None:
        self._set(self.target, "IMPORTING", self._id(self.source))
        self._set(self.source, "MIGRATING", self._id(self.target))

    def move_keys(self, *keys: str) -> None:
        with self._nodes.client(self.source) as client:
            client.execute_command(
                "MIGRATE", "127.0.0.1", self.target.port, "", 0, 5000,
                "AUTH2", "tandem_admin", self.target.passwords["tandem_admin"], "KEYS", *keys,
            )  # fmt: skip

    def finish(self) -> None:
        for node in (self.target, *self._nodes.primaries()):
            self._set(node, "NODE", self._id(self.target))

    def _set(self, node: Valkey, how: str, id: str) -> None:
        with self._nodes.client(node) as client:
            client.execute_command("CLUSTER", "SETSLOT", self._slot, how, id)

    def _id(self, node: Valkey) -> str:
        with self._nodes.client(node) as client:
            id: bytes = client.execute_command("CLUSTER", "MYID")
        return id.decode()


@pytest.fixture
def migration(nodes: RedisNodes) -> Iterator[SlotMigration]:
    yield (migration := SlotMigration(nodes))
    migration.finish()


async def test_requests_for_a_migrating_slot_are_redirected(
    migration: SlotMigration, store: RedisClusterStore, reader: ClusterReader
) -> None:
    assert await store.write(SHARD, b"", FIRST)
    migration.start()
    assert await reader.get([checkpoint_key(SHARD), KEY]) == [STORED, b"x"]
    migration.move_keys(checkpoint_key(SHARD), KEY)
    assert await store.load(SHARD, [KEY]) == (STORED, [b"x"])
    await store.write_head(SHARD, Head(5, 2, 1), b"1 1")
    assert await reader.get([checkpoint_key(SHARD), KEY]) == [STORED, b"x"]
    assert await reader.read([KEY], [("STRLEN", KEY)]) == ([b"x"], [1])
    assert await store.write(SHARD, STORED, SECOND)
    assert await reader.get([KEY]) == [b"y"]


async def test_requests_for_a_migrated_slot_are_redirected(
    migration: SlotMigration, cluster: Cluster, store: RedisClusterStore, reader: ClusterReader
) -> None:
    assert await store.write(SHARD, b"", FIRST)
    migration.start()
    migration.move_keys(checkpoint_key(SHARD), KEY)
    migration.finish()
    assert await reader.read([KEY], [("STRLEN", KEY)]) == ([b"x"], [1])
    assert await fetch_cluster_values(cluster, [checkpoint_key(SHARD)]) == [STORED]
    assert await fetch_cluster_values(cluster, []) == []
    assert await store.load(SHARD, []) == (STORED, [])
    assert await store.write(SHARD, STORED, SECOND)


async def test_a_migrating_slot_is_not_swept(
    migration: SlotMigration, store: RedisClusterStore
) -> None:
    assert await store.write(SHARD, b"", LIVE)
    sweep = {SHARD: b"mark -"}
    assert await store.replace(SHARD, {sweep_key(SHARD): sweep[SHARD], KEY: b"x"}, b"")
    migration.start()
    migration.move_keys(KEY)
    with pytest.raises(TryAgainError):
        await store.sweep(sweep)
    migration.move_keys(checkpoint_key(SHARD), sweep_key(SHARD))
    with pytest.raises(TryAgainError):
        await store.sweep(sweep)
    migration.finish()
    assert await store.sweep(sweep) == {SHARD: 1}
    assert await store.load(SHARD, [KEY]) == (LIVE.checkpoint.encode(), [None])


async def test_a_partly_migrated_document_is_never_absent(
    migration: SlotMigration, store: RedisClusterStore, reader: ClusterReader
) -> None:
    assert await store.write(SHARD, b"", FIRST)
    migration.start()
    migration.move_keys(KEY)
    with pytest.raises(Problem) as raised:
        await reader.get([checkpoint_key(SHARD), KEY])
    assert raised.value.name == "unavailable"
    with pytest.raises(TryAgainError):
        await store.load(SHARD, [KEY])
    migration.move_keys(checkpoint_key(SHARD))


async def test_during_a_failover_views_are_unavailable_or_complete_and_other_shards_work(
    nodes: RedisNodes, cluster: Cluster, store: RedisClusterStore, reader: ClusterReader
) -> None:
    assert await store.write(SHARD, b"", FIRST)
    primary = nodes.primary_of(SHARD)
    other = next(f"users.{n}" for n in range(12) if nodes.primary_of(f"users.{n}") is not primary)
    assert await store.write(other, b"", WriteBatch(Checkpoint(5, 4, "e5")))
    await until(lambda: _in_sync(nodes, primary), "the replica is in sync")
    primary.kill()
    try:
        failures = 0

        async def promoted() -> bool:
            nonlocal failures
            assert await reader.get([checkpoint_key(other)]) == [b"5 4 e5 0"]
            seen = await fetch_cluster_values(
                cluster, [checkpoint_key(SHARD), checkpoint_key(other)]
            )
            assert seen[1] == b"5 4 e5 0"
            assert await store.load(other, []) == (b"5 4 e5 0", [])
            try:
                assert await reader.get([KEY]) == [b"x"]
                return await store.write(SHARD, STORED, SECOND)
            except (Problem, *REDIS_ERRORS):
                failures += 1
                return False

        await until(promoted, "the replica was promoted", seconds=20)
        assert failures
        assert await fetch_cluster_values(cluster, [checkpoint_key(SHARD)]) == [b"2 1 e2 0"]
    finally:
        primary.start()
        await until(lambda: _replicated(nodes), "the cluster is replicated again")


async def _in_sync(nodes: RedisNodes, primary: Valkey) -> bool:
    with nodes.client(primary) as client:
        return bool(client.execute_command("WAIT", 1, 1000))


async def _replicated(nodes: RedisNodes) -> bool:
    return nodes.replicated()
