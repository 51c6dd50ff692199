"""Redis killed, paused, emptied, full, and with a truncated append-only file."""

import asyncio
import os
from random import Random

from redis.asyncio import Redis

from faults.nemesis.schedule import random_intervals
from faults.system import SystemUnderTest


async def kill(system: SystemUnderTest, random: Random, seconds: float) -> None:
    async for _ in random_intervals(random, seconds, 1, 4):
        await system.kill_server("redis")
        await asyncio.sleep(random.uniform(0, 4))
        await system.start_server("redis")


async def pause(system: SystemUnderTest, random: Random, seconds: float) -> None:
    async for _ in random_intervals(random, seconds, 1, 3):
        system.note("Redis is paused")
        await system.in_thread(system.valkey.pause)
        await asyncio.sleep(random.uniform(1, 12))
        await system.in_thread(system.valkey.resume)
        system.note("Redis is resumed")


async def empty(system: SystemUnderTest, random: Random, seconds: float) -> None:
    async with Redis.from_url(system.valkey.url()) as redis:
        async for _ in random_intervals(random, seconds, 2, 6):
            system.note("FLUSHALL")
            await redis.flushall()


async def fill(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """At its memory limit it rejects writes, until the limit is removed."""
    async with Redis.from_url(system.valkey.url()) as redis:
        async for _ in random_intervals(random, seconds, 1, 3):
            used = (await redis.info("memory"))["used_memory"]
            system.note("Redis is full")
            await redis.config_set("maxmemory", str(used))
            await asyncio.sleep(random.uniform(3, 12))
            await redis.config_set("maxmemory", "0")
            system.note("Redis has memory")


async def truncate_aof(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """Truncates its append-only file at a random byte, and kills it again after its restart."""
    async for _ in random_intervals(random, seconds, 3, 7):
        await system.kill_server("redis")
        directory = system.valkey.data_dir / "appendonlydir"
        newest = max(directory.glob("*.incr.aof"), key=lambda path: path.stat().st_mtime)
        size = newest.stat().st_size
        # Usually near the end, as after a power failure; sometimes anywhere.
        first = 0 if random.random() < 0.3 else max(0, size - 20_000)
        remaining = random.randint(first, size)
        os.truncate(newest, remaining)
        system.note(f"{newest.name} is truncated from {size} to {remaining} bytes")
        await system.start_server("redis")
        await asyncio.sleep(random.uniform(0, 2))
        await system.kill_server("redis")
        await system.start_server("redis")
