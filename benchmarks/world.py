"""The servers of a run, and on them one stack after the other that begins with nothing."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
from redis.asyncio import Redis

from benchmarks.filling import Filler
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


class World:
    """`shop()` gives a stack in which no process runs yet. Servers end with `stop`."""

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
        """To be called from the main thread: servers end with the thread that started them."""
        for server in (self.postgres, self.valkey, self.kafka):
            server.start()
        await make_template(self.postgres, self.passwords)

    def stop(self) -> None:
        for server in (self.kafka, self.valkey, self.postgres):
            server.stop()

    @asynccontextmanager
    async def shop(self) -> "AsyncIterator[BenchShop]":
        """An empty database, empty topics, an empty Redis. Its processes end with the block."""
        database = await make_database(self.postgres)
        await delete_topics(self.kafka.bootstrap_servers)
        self._stacks += 1
        directory = self.directory / f"stack-{self._stacks}"
        directory.mkdir()
        async with Redis.from_url(self.valkey.url()) as redis:
            await redis.flushall()
            admin = await asyncpg.connect(database.admin_url)
            stack = Stack(database, self.kafka, self.valkey, self.identity, directory)
            try:
                yield BenchShop(stack, Filler(admin), redis, admin)
            finally:
                stack.stop()
                await admin.close()


class BenchShop:
    """A stack, what fills it, and how far its views are."""

    def __init__(
        self, stack: Stack, filler: Filler, redis: Redis, admin: asyncpg.Connection
    ) -> None:
        self.stack, self.filler, self.redis, self.admin = stack, filler, redis, admin

    @property
    def database(self) -> Database:
        return self.stack.database

    async def run(self, *names: str) -> None:
        """Start these processes and wait until they are ready."""
        for name in names:
            self.stack.add(name)
        await self.stack.ready()

    def pid(self, name: str) -> int:
        pid = self.stack[name].pid
        assert pid is not None, f"{name} has ended"
        return pid

    async def end(self, *names: str) -> None:
        """Stop these processes."""
        for name in names:
            await asyncio.to_thread(self.stack.processes.pop(name).stop)

    async def publishing_sessions(self) -> list[int]:
        """The processes with which PostgreSQL serves the relay and the projector."""
        rows = await self.admin.fetch(
            "SELECT pid FROM pg_stat_activity"
            " WHERE usename IN ('tandem_relay', 'tandem_log_reader')"
        )
        return [row["pid"] for row in rows]

    async def heads(self) -> Mapping[str, int]:
        """The log's last positions."""
        rows = await self.admin.fetch("SELECT shard, max(position) FROM log GROUP BY shard")
        return dict(map(tuple, rows))

    async def projected(self) -> int:
        """Events in the views, over all shards."""
        stored: Any = await self.redis.mget([checkpoint_key(shard) for shard in SHARDS])
        return sum(Checkpoint.decode(found).position for found in stored if found)

    async def level(self, seconds: float = 300) -> None:
        """Wait until the views hold the whole log."""
        wanted = sum((await self.heads()).values())

        async def all_there() -> bool:
            return await self.projected() >= wanted

        await until(all_there, "the views hold the whole log", seconds=seconds)
