"""Several of everything: a broker lost, a Redis primary failed over, replicas coming and going."""

import asyncio
import signal
from random import Random
from typing import Any

from faults.nemesis.processes import OURS
from faults.nemesis.times import moments
from faults.world import World
from shared.contracts.shards import TOPICS
from shared.kafka.clients import Kafka, bootstrap_servers
from tests.support.redis_nodes import RedisNodes
from tests.support.servers import Valkey
from tests.support.waiting import until


async def kill_brokers(world: World, random: Random, seconds: float) -> None:
    """One broker at a time; the next one when all have every record again."""
    async for _ in moments(random, seconds, 1, 3):
        name = random.choice([broker.name for broker in world.brokers])
        await world.kill_server(name)
        await asyncio.sleep(random.uniform(2, 6))
        await world.start_server(name)
        await until(lambda: _in_sync(world), "all brokers are in sync")
        world.note("all brokers are in sync")


async def fail_redis_over(world: World, random: Random, seconds: float) -> None:
    """A primary is killed; its replica takes over; it comes back as a replica."""
    nodes = world.redis_nodes
    assert nodes is not None
    async for _ in moments(random, seconds, 1, 3):
        killed = random.choice(await asyncio.to_thread(nodes.primaries))
        await world.kill_server(killed.name)
        await until(lambda killed=killed: _failed_over(nodes, killed), "a replica has taken over")  # type: ignore[misc]
        world.note(f"a replica has taken over from {killed.name}")
        await asyncio.sleep(random.uniform(0, 2))
        await world.start_server(killed.name)
        await until(lambda: _replicated(nodes), "every primary has a replica")
        world.note("every primary has a replica")


async def come_and_go(world: World, random: Random, seconds: float) -> None:
    """A third of each joins, the second and the third leave, and the second is back."""
    await asyncio.gather(
        *(_come_and_go(world, Random(random.random()), kind, seconds) for kind in OURS)
    )


async def _come_and_go(world: World, random: Random, kind: str, seconds: float) -> None:
    async for _ in moments(random, seconds / 2, 0, seconds / 2):
        await world.join(f"{kind}-3")
        await world.leave(f"{kind}-2", signal.SIGTERM)
        await asyncio.sleep(random.uniform(0, 2))
        await world.join(f"{kind}-2")
        # Who serves nobody over HTTP may go without a word.
        quietly = kind in ("relay", "projector") and random.random() < 0.5
        await world.leave(f"{kind}-3", signal.SIGKILL if quietly else signal.SIGTERM)


async def _in_sync(world: World) -> bool:
    admin = Kafka(bootstrap_servers(world.bootstrap_servers)).admin("nemesis")
    await admin.start()
    try:
        topics: list[Any] = await admin.describe_topics(list(TOPICS))
    finally:
        await admin.close()
    await asyncio.sleep(0.2)
    partitions = [partition for topic in topics for partition in topic["partitions"]]
    return bool(partitions) and all(len(p["isr"]) == len(world.brokers) for p in partitions)


async def _failed_over(nodes: RedisNodes, killed: Valkey) -> bool:
    await asyncio.sleep(0.1)
    return killed not in await asyncio.to_thread(nodes.primaries)


async def _replicated(nodes: RedisNodes) -> bool:
    await asyncio.sleep(0.1)
    return await asyncio.to_thread(nodes.replicated)
