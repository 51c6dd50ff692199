"""PostgreSQL restored to an older state: topics and views are ahead of the event log."""

import asyncio
import shutil
from random import Random

import asyncpg
from redis.asyncio import Redis

from deploy.local.servers.drop_privileges import give_to_other_user
from faults.system import SystemUnderTest
from tests.support.topics import delete_topics
from tests.support.waiting import until

# The recovery that docs/faults.md describes, after the topics and views are deleted.
RESET_CURSORS = """
UPDATE relay_cursors SET halted = NULL, halted_at = NULL, position = 0, "offset" = -1,
                         event_id = NULL, timestamp_ms = NULL, owner = NULL, leased_until = NULL
"""


async def restore_older_state(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """Loses the events since the backup. The relay must halt the shards instead of mixing both
    histories, and raise the alarm; then the documented recovery follows.
    """
    backup = system.directory / "backup"
    await system.in_thread(system.postgres.stop)
    shutil.copytree(system.postgres.data_dir, backup)
    await system.start_server("postgres")
    system.note("a backup is complete")
    await asyncio.sleep(seconds)
    await system.kill_server("postgres")
    shutil.rmtree(system.postgres.data_dir)
    backup.rename(system.postgres.data_dir)
    give_to_other_user(system.postgres.data_dir)
    await system.start_server("postgres")
    system.note("PostgreSQL is restored from the backup")
    await _wait_halted(system)
    await _recover(system)
    system.invalidate_history()
    await asyncio.sleep(seconds)


async def _wait_halted(system: SystemUnderTest) -> None:
    async with asyncpg.create_pool(system.database.admin_url, min_size=0, max_size=1) as pool:

        async def halted() -> bool:
            query = "SELECT shard, halted FROM relay_cursors WHERE halted IS NOT NULL"
            return bool(await pool.fetch(query))

        await until(halted, "the log divergence is detected and its shards are halted", seconds=40)
        rows = await pool.fetch("SELECT shard FROM relay_cursors WHERE halted IS NOT NULL")
    system.note(f"halted: {[row['shard'] for row in rows]}")


async def _recover(system: SystemUnderTest) -> None:
    """Stop relay, projector and query service, delete topics and views, and reset the cursors."""
    for name in ("relay", "projector", "query-service"):
        system.kill_without_restart(name)
    await delete_topics(system.kafka.bootstrap_servers)
    async with Redis.from_url(system.valkey.url()) as redis:
        await redis.flushall()
    connection = await asyncpg.connect(system.database.admin_url)
    await connection.execute(RESET_CURSORS)
    await connection.close()
    for name in ("relay", "projector", "query-service"):
        system.restart(name)
        await system.processes[name].ready()
