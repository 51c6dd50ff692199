"""PostgreSQL killed, restarted, refusing, paused, and a session that sits on a shard."""

import asyncio
from random import Random

import asyncpg

from faults.nemesis.times import moments
from faults.world import World


async def kill(world: World, random: Random, seconds: float) -> None:
    async for _ in moments(random, seconds, 1, 4):
        await world.kill_server("postgres")
        await asyncio.sleep(random.uniform(0, 5))
        await world.start_server("postgres")


async def restart(world: World, random: Random, seconds: float) -> None:
    async for _ in moments(random, seconds, 1, 4):
        world.note("PostgreSQL is restarted")
        await world.in_thread(world.postgres.stop)
        await world.start_server("postgres")


async def refuse(world: World, random: Random, seconds: float) -> None:
    """It ends all sessions and lets nobody in, for longer than a command waits."""
    admin = await asyncpg.connect(world.postgres.url(database="postgres"))
    try:
        async for _ in moments(random, seconds, 1, 3):
            world.note("PostgreSQL refuses connections")
            await admin.execute("ALTER DATABASE tandem ALLOW_CONNECTIONS false")
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'tandem'"
            )
            await asyncio.sleep(random.uniform(3, 13))
            await admin.execute("ALTER DATABASE tandem ALLOW_CONNECTIONS true")
            world.note("PostgreSQL lets everybody in")
    finally:
        await admin.execute("ALTER DATABASE tandem ALLOW_CONNECTIONS true")
        await admin.close()


async def pause(world: World, random: Random, seconds: float) -> None:
    async for _ in moments(random, seconds, 1, 3):
        world.note("PostgreSQL is paused")
        await world.in_thread(world.postgres.pause)
        await asyncio.sleep(random.uniform(2, 14))
        await world.in_thread(world.postgres.resume)
        world.note("PostgreSQL goes on")


async def hold_a_shard(world: World, random: Random, seconds: float) -> None:
    """A session is idle in a transaction that has locked some of the log's shards."""
    connection = await asyncpg.connect(world.database.admin_url)
    try:
        async for _ in moments(random, seconds, 0.5, 2):
            shards = [f"{t}.{random.randrange(12)}" for t in ("users", "products", "orders")]
            async with connection.transaction():
                world.note(f"a session holds {shards}")
                await connection.execute(
                    "SELECT 1 FROM shards WHERE name = ANY ($1) ORDER BY name FOR UPDATE", shards
                )
                await asyncio.sleep(random.uniform(1, 12))
            world.note("the session lets go")
    finally:
        await connection.close()


async def cut_commits(world: World, random: Random, seconds: float) -> None:
    """A connection ends right before COMMIT reaches PostgreSQL, or right after it was answered."""
    async for _ in moments(random, seconds, 0.05, 0.6):
        world.commits.cut = random.choice(["before", "after"])
    world.commits.cut = "never"
    world.note(f"{world.commits.cuts} commits were cut")
    world.kills += world.commits.cuts
