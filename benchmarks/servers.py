"""The servers of a run, and the empty stacks that use them, one after the other."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
from redis.asyncio import Redis

from benchmarks.bulk_loader import BulkLoader
from deploy.local.ports import free_ports
from deploy.local.secrets import new_passwords
from shared.contracts.shards import DEFAULT_PARTITIONS, all_shards
from shared.contracts.views import Checkpoint, checkpoint_key
from tests.support.database import Database, make_database, make_template
from tests.support.identity import Identity
from tests.support.servers import Kafka, Postgres, Valkey
from tests.support.stack import Stack
from tests.support.topics import delete_topics
from tests.support.waiting import until

SHARDS: Final = all_shards(DEFAULT_PARTITIONS)


class Servers:
    """PostgreSQL, Valkey and Kafka; `stop` ends them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.passwords = new_passwords()
        ports = free_ports(4)
        self.postgres = Postgres(directory / "postgres", ports[0], self.passwords)
        self.valkey = Valkey(directory / "redis", ports[1], self.passwords)
        self.kafka = Kafka(directory / "kafka", ports[2], ports[3])
        self.identity = Identity(directory)
        self._stacks = 0

    async def start(self) -> None:
        """Call it from the main thread: servers end with the thread that started them."""
        for server in (self.postgres, self.valkey, self.kafka):
            server.start()
        await make_template(self.postgres, self.passwords)

    def stop(self) -> None:
        for server in (self.kafka, self.valkey, self.postgres):
            server.stop()

    @asynccontextmanager
    async def new_stack(self) -> "AsyncIterator[BenchmarkStack]":
        """A stack without processes, with an empty database, topics and Redis."""
        database = await make_database(self.postgres)
        await delete_topics(self.kafka.bootstrap_servers)
        self._stacks += 1
        directory = self.directory / f"stack-{self._stacks}"
        directory.mkdir()
        async with Redis.from_url(self.valkey.url()) as redis:
            await redis.flushall()
            admin = await asyncpg.connect(database.admin_url)
            processes = Stack(database, self.kafka, self.valkey, self.identity, directory)
            try:
                yield BenchmarkStack(processes, BulkLoader(admin), redis, admin)
            finally:
                processes.stop()
                await admin.close()


class BenchmarkStack:
    """Tandem's processes, a bulk loader, and the progress of the views."""

    def __init__(
        self, processes: Stack, loader: BulkLoader, redis: Redis, admin: asyncpg.Connection
    ) -> None:
        self.processes, self.loader, self.redis, self.admin = processes, loader, redis, admin

    @property
    def database(self) -> Database:
        return self.processes.database

    async def start(self, *names: str) -> None:
        """Returns when these processes are ready."""
        for name in names:
            self.processes.add(name)
        await self.processes.ready()

    def pid(self, name: str) -> int:
        pid = self.processes[name].pid
        assert pid is not None, f"{name} has ended"
        return pid

    async def stop(self, *names: str) -> None:
        """Returns when these processes have ended."""
        for name in names:
            await asyncio.to_thread(self.processes.processes.pop(name).stop)

    async def publishing_sessions(self) -> list[int]:
        """Process ids of PostgreSQL's sessions of the relay and the projector."""
        rows = await self.admin.fetch(
            "SELECT pid FROM pg_stat_activity"
            " WHERE usename IN ('tandem_relay', 'tandem_log_reader')"
        )
        return [row["pid"] for row in rows]

    async def heads(self) -> Mapping[str, int]:
        """The heads of the event log."""
        rows = await self.admin.fetch("SELECT shard, max(position) FROM log GROUP BY shard")
        return dict(map(tuple, rows))

    async def projected(self) -> int:
        """The number of events in the views of all shards."""
        stored: Any = await self.redis.mget([checkpoint_key(shard) for shard in SHARDS])
        return sum(Checkpoint.decode(value).position for value in stored if value)

    async def wait_caught_up(self, seconds: float = 300) -> None:
        """Returns when the views contain all events of the event log."""
        total = sum((await self.heads()).values())

        async def caught_up() -> bool:
            return await self.projected() >= total

        await until(caught_up, "the views are caught up", seconds=seconds)
