"""PostgreSQL restored to an older state: topics and views are ahead of the log, a fork."""

import asyncio
import shutil
from random import Random

import asyncpg
from redis.asyncio import Redis

from deploy.local.servers.drop_privileges import give_to_other_user
from faults.world import World
from tests.support.topics import delete_topics
from tests.support.waiting import until

# The way out that docs/faults.md tells people, once the topics and the views are gone.
CLEAR = """
UPDATE relay_cursors SET halted = NULL, halted_at = NULL, position = 0, "offset" = -1,
                         event_id = NULL, timestamp_ms = NULL, owner = NULL, leased_until = NULL
"""


async def restore_an_older_state(world: World, random: Random, seconds: float) -> None:
    """What was acknowledged in between is lost for good. Shards must stop instead of mixing both
    histories, and say so; then the way out is gone.
    """
    backup = world.directory / "backup"
    await world.in_thread(world.postgres.stop)
    shutil.copytree(world.postgres.data_dir, backup)
    await world.start_server("postgres")
    world.note("a backup was made")
    await asyncio.sleep(seconds)
    await world.kill_server("postgres")
    shutil.rmtree(world.postgres.data_dir)
    backup.rename(world.postgres.data_dir)
    give_to_other_user(world.postgres.data_dir)
    await world.start_server("postgres")
    world.note("PostgreSQL is as old as the backup")
    await _alarm(world)
    await _way_out(world)
    world.forget_the_past()
    await asyncio.sleep(seconds)


async def _alarm(world: World) -> None:
    async with asyncpg.create_pool(world.database.admin_url, min_size=0, max_size=1) as pool:

        async def halted() -> bool:
            query = "SELECT shard, halted FROM relay_cursors WHERE halted IS NOT NULL"
            return bool(await pool.fetch(query))

        await until(halted, "the fork is found and its shards are halted", seconds=40)
        rows = await pool.fetch("SELECT shard FROM relay_cursors WHERE halted IS NOT NULL")
    world.note(f"halted: {[row['shard'] for row in rows]}")


async def _way_out(world: World) -> None:
    """The relay and the readers of views stop, the topics and views go, the cursors are cleared."""
    for name in ("relay", "projector", "query-service"):
        world.kill_down(name)
    await delete_topics(world.kafka.bootstrap_servers)
    async with Redis.from_url(world.valkey.url()) as redis:
        await redis.flushall()
    connection = await asyncpg.connect(world.database.admin_url)
    await connection.execute(CLEAR)
    await connection.close()
    for name in ("relay", "projector", "query-service"):
        world.start_again(name)
        await world.processes[name].ready()
