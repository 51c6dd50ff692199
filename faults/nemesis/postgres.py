"""PostgreSQL killed, restarted, paused, rejecting connections, and with locked shards."""

import asyncio
from random import Random

import asyncpg

from faults.nemesis.schedule import random_intervals
from faults.system import SystemUnderTest


async def kill(system: SystemUnderTest, random: Random, seconds: float) -> None:
    async for _ in random_intervals(random, seconds, 1, 4):
        await system.kill_server("postgres")
        await asyncio.sleep(random.uniform(0, 5))
        await system.start_server("postgres")


async def restart(system: SystemUnderTest, random: Random, seconds: float) -> None:
    async for _ in random_intervals(random, seconds, 1, 4):
        system.note("PostgreSQL is restarted")
        await system.in_thread(system.postgres.stop)
        await system.start_server("postgres")


async def reject_connections(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """Ends all sessions and rejects new ones, partly beyond the deadline of commands."""
    admin = await asyncpg.connect(system.postgres.url(database="postgres"))
    try:
        async for _ in random_intervals(random, seconds, 1, 3):
            system.note("PostgreSQL rejects connections")
            await admin.execute("ALTER DATABASE tandem ALLOW_CONNECTIONS false")
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'tandem'"
            )
            await asyncio.sleep(random.uniform(3, 13))
            await admin.execute("ALTER DATABASE tandem ALLOW_CONNECTIONS true")
            system.note("PostgreSQL accepts connections")
    finally:
        await admin.execute("ALTER DATABASE tandem ALLOW_CONNECTIONS true")
        await admin.close()


async def pause(system: SystemUnderTest, random: Random, seconds: float) -> None:
    async for _ in random_intervals(random, seconds, 1, 3):
        system.note("PostgreSQL is paused")
        await system.in_thread(system.postgres.pause)
        await asyncio.sleep(random.uniform(2, 14))
        await system.in_thread(system.postgres.resume)
        system.note("PostgreSQL is resumed")


async def lock_shards(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """A session is idle in a transaction that has locked some shards of the event log."""
    connection = await asyncpg.connect(system.database.admin_url)
    try:
        async for _ in random_intervals(random, seconds, 0.5, 2):
            shards = [f"{t}.{random.randrange(12)}" for t in ("users", "products", "orders")]
            async with connection.transaction():
                system.note(f"a session locks {shards}")
                await connection.execute(
                    "SELECT 1 FROM shards WHERE name = ANY ($1) ORDER BY name FOR UPDATE", shards
                )
                await asyncio.sleep(random.uniform(1, 12))
            system.note("the session commits")
    finally:
        await connection.close()


async def interrupt_commits(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """Connections are lost before COMMIT reaches PostgreSQL, or before its result is returned."""
    async for _ in random_intervals(random, seconds, 0.05, 0.6):
        system.commits.cut = random.choice(["before", "after"])
    system.commits.cut = "never"
    system.note(f"{system.commits.cuts} commits were interrupted")
    system.kills += system.commits.cuts
