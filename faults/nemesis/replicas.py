"""A lost broker, a failover of Redis, and joining and leaving processes."""

import asyncio
import signal
from random import Random
from typing import Any

from faults.nemesis.processes import SERVICES
from faults.nemesis.schedule import random_intervals
from faults.system import SystemUnderTest
from shared.contracts.shards import TOPICS
from shared.kafka.clients import Kafka, bootstrap_servers
from tests.support.redis_nodes import RedisNodes
from tests.support.servers import Valkey
from tests.support.waiting import until


async def kill_brokers(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """One broker at a time, the next one when all replicas are in sync."""
    async for _ in random_intervals(random, seconds, 1, 3):
        name = random.choice([broker.name for broker in system.brokers])
        await system.kill_server(name)
        await asyncio.sleep(random.uniform(2, 6))
        await system.start_server(name)
        await until(lambda: _in_sync(system), "all brokers are in sync")
        system.note("all brokers are in sync")


async def fail_over_redis(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """A primary is killed, its replica takes over, and it restarts as a replica."""
    nodes = system.redis_nodes
    assert nodes is not None
    async for _ in random_intervals(random, seconds, 1, 3):
        killed = random.choice(await asyncio.to_thread(nodes.primaries))
        await system.kill_server(killed.name)
        await until(lambda killed=killed: _failed_over(nodes, killed), "a replica has taken over")  # type: ignore[misc]
        system.note(f"a replica has taken over from {killed.name}")
        await asyncio.sleep(random.uniform(0, 2))
        await system.start_server(killed.name)
        await until(lambda: _replicated(nodes), "every primary has a replica")
        system.note("every primary has a replica")


async def hang_redis_nodes(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """A primary is paused (SIGSTOP): its connections stay open, and it does not reply.

    Shorter than the cluster's node timeout its replica does not take over, longer it does.
    """
    nodes = system.redis_nodes
    assert nodes is not None
    async for _ in random_intervals(random, seconds, 1, 3):
        paused = random.choice(await asyncio.to_thread(nodes.primaries))
        system.note(f"{paused.name} is paused")
        await system.in_thread(paused.pause)
        await asyncio.sleep(random.uniform(1, 12))
        await system.in_thread(paused.resume)
        system.note(f"{paused.name} is resumed")
        await until(lambda: _replicated(nodes), "every primary has a replica")


async def join_and_leave(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """A third process of each service joins, the second leaves and joins, the third leaves."""
    await asyncio.gather(
        *(_join_and_leave(system, Random(random.random()), kind, seconds) for kind in SERVICES)
    )


async def _join_and_leave(
    system: SystemUnderTest, random: Random, kind: str, seconds: float
) -> None:
    async for _ in random_intervals(random, seconds / 2, 0, seconds / 2):
        await system.join(f"{kind}-3")
        await system.leave(f"{kind}-2", signal.SIGTERM)
        await asyncio.sleep(random.uniform(0, 2))
        await system.join(f"{kind}-2")
        # Services without HTTP clients may end by SIGKILL.
        killed = kind in ("relay", "projector") and random.random() < 0.5
        await system.leave(f"{kind}-3", signal.SIGKILL if killed else signal.SIGTERM)


async def _in_sync(system: SystemUnderTest) -> bool:
    admin = Kafka(bootstrap_servers(system.bootstrap_servers)).admin("nemesis")
    await admin.start()
    try:
        topics: list[Any] = await admin.describe_topics(list(TOPICS))
    finally:
        await admin.close()
    await asyncio.sleep(0.2)
    partitions = [partition for topic in topics for partition in topic["partitions"]]
    return bool(partitions) and all(len(p["isr"]) == len(system.brokers) for p in partitions)


async def _failed_over(nodes: RedisNodes, killed: Valkey) -> bool:
    await asyncio.sleep(0.1)
    return killed not in await asyncio.to_thread(nodes.primaries)


async def _replicated(nodes: RedisNodes) -> bool:
    await asyncio.sleep(0.1)
    return await asyncio.to_thread(nodes.replicated)
