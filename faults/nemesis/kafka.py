"""Kafka killed, paused, and with lost data."""

import asyncio
import os
import shutil
from pathlib import Path
from random import Random

from faults.nemesis.schedule import random_intervals
from faults.system import SystemUnderTest
from shared.contracts.shards import TOPICS
from tests.support.topics import delete_topics


async def kill(system: SystemUnderTest, random: Random, seconds: float) -> None:
    async for _ in random_intervals(random, seconds, 1, 4):
        await system.kill_server("kafka")
        await asyncio.sleep(random.uniform(0, 6))
        await system.start_server("kafka")


async def pause(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """For less and more than the duration of a lease and of a session."""
    async for _ in random_intervals(random, seconds, 1, 3):
        system.note("Kafka is paused")
        await system.in_thread(system.kafka.pause)
        await asyncio.sleep(random.uniform(2, 14))
        await system.in_thread(system.kafka.resume)
        system.note("Kafka is resumed")


async def lose_data(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """Deletes its data directory, so that it starts as a new, empty cluster."""
    async for _ in random_intervals(random, seconds, 3, 8):
        await system.kill_server("kafka")
        shutil.rmtree(system.kafka.data_dir / "logs")
        system.note("Kafka lost its data")
        await system.start_server("kafka")


async def lose_tail(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """Removes the last records of some partitions, as after a power failure."""
    async for _ in random_intervals(random, seconds, 3, 8):
        await system.kill_server("kafka")
        for partition in sorted((system.kafka.data_dir / "logs").glob("*-*")):
            if partition.name.rpartition("-")[0] in TOPICS and random.random() < 0.7:
                _truncate(partition, random)
        system.note("Kafka lost its last records")
        await system.start_server("kafka")


def _truncate(partition: Path, random: Random) -> None:
    """Truncates segments at a random byte; the broker drops incomplete batches when it starts."""
    for segment in sorted(partition.glob("*.log")):
        size = segment.stat().st_size
        if size:
            os.truncate(segment, random.randrange(size // 2, size))
    for derived in (*partition.glob("*.snapshot"), *partition.glob("*.*index")):
        derived.unlink()
    (partition.parent / ".kafka_cleanshutdown").unlink(missing_ok=True)
    for name in ("recovery-point-offset-checkpoint", "replication-offset-checkpoint"):
        (partition.parent / name).unlink(missing_ok=True)


async def delete_some_topics(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """Deletes topics, which the relay recreates and fills."""
    async for _ in random_intervals(random, seconds, 3, 10):
        topic = random.choice(TOPICS)
        system.note(f"topic {topic} is deleted")
        await delete_topics(system.kafka.bootstrap_servers, [topic])
