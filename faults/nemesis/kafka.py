"""Kafka killed, paused, and robbed of what it held."""

import asyncio
import os
import shutil
from pathlib import Path
from random import Random

from faults.nemesis.times import moments
from faults.world import World
from shared.contracts.shards import TOPICS
from tests.support.topics import delete_topics


async def kill(world: World, random: Random, seconds: float) -> None:
    async for _ in moments(random, seconds, 1, 4):
        await world.kill_server("kafka")
        await asyncio.sleep(random.uniform(0, 6))
        await world.start_server("kafka")


async def pause(world: World, random: Random, seconds: float) -> None:
    """Shorter and longer than a lease and a session."""
    async for _ in moments(random, seconds, 1, 3):
        world.note("Kafka is paused")
        await world.in_thread(world.kafka.pause)
        await asyncio.sleep(random.uniform(2, 14))
        await world.in_thread(world.kafka.resume)
        world.note("Kafka goes on")


async def lose_everything(world: World, random: Random, seconds: float) -> None:
    """Its data directory is gone; it starts as a new, empty cluster."""
    async for _ in moments(random, seconds, 3, 8):
        await world.kill_server("kafka")
        shutil.rmtree(world.kafka.data_dir / "logs")
        world.note("Kafka lost its data")
        await world.start_server("kafka")


async def lose_the_tail(world: World, random: Random, seconds: float) -> None:
    """It comes back without the last records of some partitions, as after a power cut."""
    async for _ in moments(random, seconds, 3, 8):
        await world.kill_server("kafka")
        for partition in sorted((world.kafka.data_dir / "logs").glob("*-*")):
            if partition.name.rpartition("-")[0] in TOPICS and random.random() < 0.7:
                _cut(partition, random)
        world.note("Kafka lost its last records")
        await world.start_server("kafka")


def _cut(partition: Path, random: Random) -> None:
    """The broker truncates a torn segment at its last whole batch, and forgets the snapshots."""
    for segment in sorted(partition.glob("*.log")):
        size = segment.stat().st_size
        if size:
            os.truncate(segment, random.randrange(size // 2, size))
    for derived in (*partition.glob("*.snapshot"), *partition.glob("*.*index")):
        derived.unlink()
    (partition.parent / ".kafka_cleanshutdown").unlink(missing_ok=True)
    for name in ("recovery-point-offset-checkpoint", "replication-offset-checkpoint"):
        (partition.parent / name).unlink(missing_ok=True)


async def make_topics_again(world: World, random: Random, seconds: float) -> None:
    """Somebody deletes a topic; the relay makes it again and fills it."""
    async for _ in moments(random, seconds, 3, 10):
        topic = random.choice(TOPICS)
        world.note(f"topic {topic} is deleted")
        await delete_topics(world.kafka.bootstrap_servers, [topic])
