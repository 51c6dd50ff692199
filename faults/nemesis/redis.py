"""Redis killed, paused, emptied, full, and with its append-only file cut."""

import asyncio
import os
from random import Random

from redis.asyncio import Redis

from faults.nemesis.times import moments
from faults.world import World


async def kill(world: World, random: Random, seconds: float) -> None:
    async for _ in moments(random, seconds, 1, 4):
        await world.kill_server("redis")
        await asyncio.sleep(random.uniform(0, 4))
        await world.start_server("redis")


async def pause(world: World, random: Random, seconds: float) -> None:
    async for _ in moments(random, seconds, 1, 3):
        world.note("Redis is paused")
        await world.in_thread(world.valkey.pause)
        await asyncio.sleep(random.uniform(1, 12))
        await world.in_thread(world.valkey.resume)
        world.note("Redis goes on")


async def empty(world: World, random: Random, seconds: float) -> None:
    async with Redis.from_url(world.valkey.url()) as redis:
        async for _ in moments(random, seconds, 2, 6):
            world.note("FLUSHALL")
            await redis.flushall()


async def fill(world: World, random: Random, seconds: float) -> None:
    """It may take no byte more, so every write of views fails, and has room again after a while."""
    async with Redis.from_url(world.valkey.url()) as redis:
        async for _ in moments(random, seconds, 1, 3):
            used = (await redis.info("memory"))["used_memory"]
            world.note("Redis is full")
            await redis.config_set("maxmemory", str(used))
            await asyncio.sleep(random.uniform(3, 12))
            await redis.config_set("maxmemory", "0")
            world.note("Redis has room")


async def cut_the_file(world: World, random: Random, seconds: float) -> None:
    """Its append-only file ends at a random byte, and it is killed once more after its return."""
    async for _ in moments(random, seconds, 3, 7):
        await world.kill_server("redis")
        directory = world.valkey.data_dir / "appendonlydir"
        newest = max(directory.glob("*.incr.aof"), key=lambda path: path.stat().st_mtime)
        size = newest.stat().st_size
        # Often near the end, as a power cut leaves it; sometimes anywhere.
        first = 0 if random.random() < 0.3 else max(0, size - 20_000)
        left = random.randint(first, size)
        os.truncate(newest, left)
        world.note(f"{newest.name} is cut from {size} to {left} bytes")
        await world.start_server("redis")
        await asyncio.sleep(random.uniform(0, 2))
        await world.kill_server("redis")
        await world.start_server("redis")
