"""`make up BROKERS=3 REDIS_CLUSTER=3`, with the servers only."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import redis
from aiokafka.admin import NewTopic

from deploy.local.external_servers import read_env
from deploy.local.redis_cluster import node_urls
from shared.kafka.clients import Kafka, bootstrap_servers
from shared.redis.clients import redis_cluster
from shared.redis.cluster import Node
from tests.local_stack.test_up import Stack

TOPOLOGY: Final = {"BROKERS": "3", "REDIS_CLUSTER": "3"}
NAMES: Final = {"postgres", "kafka-1", "kafka-2", "kafka-3", *(f"redis-{n}" for n in range(1, 7))}


@pytest.fixture
def stack(scratch: Path) -> Iterator[Stack]:
    stack = Stack(scratch / "stacks" / "big")
    yield stack
    stack.call("reset")


async def test_its_data_is_kept_by_down_and_up(stack: Stack) -> None:
    up = ("up", "--servers-only")
    done = stack.call(*up, environ=TOPOLOGY)
    assert done.returncode == 0, done.stderr
    assert set(stack.lines()) == NAMES
    env = read_env(stack.home)
    assert env["REDIS_CLUSTER"] == "3"
    assert len(bootstrap_servers(env["KAFKA_BOOTSTRAP_SERVERS"])) == 3
    cluster = redis_cluster(env["REDIS_URL"], "test")
    await cluster.run("orders.7", lambda node: _set(node, "{orders.7}:kept"))
    await cluster.aclose()
    await _make_topic(env["KAFKA_BOOTSTRAP_SERVERS"])
    assert _replicas(env["REDIS_URL"]) == 3

    assert stack.call("down").returncode == 0
    done = stack.call(*up, environ=TOPOLOGY)
    assert done.returncode == 0, done.stderr
    cluster = redis_cluster(env["REDIS_URL"], "test")
    assert await cluster.run("orders.7", lambda node: _get(node, "{orders.7}:kept")) == b"yes"
    await cluster.aclose()
    (topic,) = await _topics(env["KAFKA_BOOTSTRAP_SERVERS"])
    assert [len(partition["replicas"]) for partition in topic["partitions"]] == [3]


async def _set(node: Node, key: str) -> None:
    await node.client.set(key, "yes")


async def _get(node: Node, key: str) -> Any:
    return await node.client.get(key)


def _replicas(url: str) -> int:
    roles = []
    for node in node_urls(url):
        with redis.Redis.from_url(node, socket_timeout=5) as client:
            roles.append(client.info("replication")["role"])
    return roles.count("slave")


async def _make_topic(servers: str) -> None:
    admin = Kafka(bootstrap_servers(servers)).admin("test")
    await admin.start()
    try:
        await admin.create_topics([NewTopic("kept", 1, 3)])
    finally:
        await admin.close()


async def _topics(servers: str) -> list[Any]:
    admin = Kafka(bootstrap_servers(servers)).admin("test")
    await admin.start()
    try:
        found: list[Any] = await admin.describe_topics(["kept"])
        return found
    finally:
        await admin.close()
