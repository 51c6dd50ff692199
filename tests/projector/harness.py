"""An event log, topics and Redis, and the projector processes that a test starts and kills."""

import os
import secrets
import signal
import struct
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import httpx
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic
from aiokafka.record.util import calc_crc32c
from redis.asyncio import Redis

from deploy.local.ports import free_ports
from deploy.local.servers.parent_death_signal import with_parent_death_signal
from shared.contracts.records import Record, to_headers
from shared.contracts.shards import TOPICS, all_shards, split_shard
from shared.contracts.views import Checkpoint, Head, checkpoint_key, head_key
from shared.event_log import PostgresEventLog
from shared.kafka.clients import Kafka, bootstrap_servers
from tests.projector.random_log import RandomLog
from tests.support.database import Database
from tests.support.expected_views import view_differences
from tests.support.waiting import until

PARTITIONS = 3
SHARDS = all_shards(PARTITIONS)

_INSERT = """
INSERT INTO log (shard, position, event_id, type, subject, actor, time, traceparent, data)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::uuid[], $6::text[],
    $7::timestamptz[], $8::text[], $9::json[])
"""


class ProjectorSystem:
    """A projector's servers. Records are committed to the event log, published, or both."""

    def __init__(self, database: Database, bootstrap: str, redis: Redis, projector_url: str):
        self.database = database
        self.bootstrap = bootstrap
        self.redis = redis
        self.projector_url = projector_url
        self.logs = {shard: RandomLog(shard, 7, PARTITIONS) for shard in SHARDS}
        self.projectors: list[Projector] = []
        self.group = f"projector-{secrets.token_hex(4)}"
        self._kafka = Kafka(bootstrap_servers(bootstrap))

    async def open(self) -> None:
        self.pool = await asyncpg.create_pool(self.database.admin_url, min_size=1, max_size=4)
        self.log = PostgresEventLog(self.pool)
        await self.create_topics()

    async def close(self) -> None:
        for projector in self.projectors:
            projector.kill()
        await self.producer.stop()
        self.pool.terminate()

    async def create_topics(self) -> None:
        """Creates the three topics, deleting existing ones."""
        await self.delete_topics()
        admin = self._kafka.admin("test")
        await admin.start()
        try:

            async def created() -> bool:
                topics = [NewTopic(topic, PARTITIONS, 1) for topic in TOPICS]
                reply = await admin.create_topics(topics)
                return {error[1] for error in reply.topic_errors} <= {0, 36}

            await until(created, "topics created")
        finally:
            await admin.close()
        self.producer: AIOKafkaProducer = self._kafka.producer("test", linger_ms=5)
        await self.producer.start()

    async def delete_topics(self) -> None:
        if hasattr(self, "producer"):
            await self.producer.stop()
        admin = self._kafka.admin("test")
        await admin.start()
        try:
            existing = set(await admin.list_topics()) & set(TOPICS)
            if existing:
                await admin.delete_topics(sorted(existing))

            async def gone() -> bool:
                return not set(await admin.list_topics()) & set(TOPICS)

            await until(gone, "topics deleted")
        finally:
            await admin.close()

    async def commit(self, records: Sequence[Record]) -> None:
        """Inserts the records into the event log, unchanged."""
        columns = zip(
            *(
                (r.shard, r.position, r.event_id, r.type, r.subject, r.actor,
                 datetime.fromisoformat(r.time), r.traceparent, r.data.decode())
                for r in records
            ),
            strict=True,
        )  # fmt: skip
        await self.pool.execute(_INSERT, *map(list, columns))

    async def publish(self, records: Iterable[Record]) -> None:
        """Publishes the records in this order."""
        futures = [
            await self.producer.send(
                split_shard(r.shard)[0],
                r.data,
                key=r.subject.encode(),
                partition=split_shard(r.shard)[1],
                headers=to_headers(r),
            )
            for r in records
        ]
        await self.producer.flush()
        for future in futures:
            await future

    async def put_foreign(
        self, shard: str, value: bytes | None, headers: list[tuple[str, Any]]
    ) -> None:
        """Publishes a record of another producer."""
        topic, partition = split_shard(shard)
        await self.producer.send_and_wait(
            topic, value, key=b"k", partition=partition, headers=headers
        )

    async def put_unreadable(self, shard: str) -> None:
        """Publishes a record of another producer, with a header whose name is not UTF-8."""
        topic, partition = split_shard(shard)
        batch = self.producer.create_batch()
        batch.append(key=b"k", value=b"v", timestamp=None, headers=[("aaaa", b"x")])
        batch.close()
        readable = batch._build

        def unreadable() -> bytearray:
            built: bytearray = readable()
            start = bytes(built).index(b"aaaa")
            built[start : start + 2] = b"\xff\xfe"
            struct.pack_into(">I", built, 17, calc_crc32c(memoryview(built)[21:]))
            return built

        batch._build = unreadable
        await (await self.producer.send_batch(batch, topic, partition=partition))

    async def add_events(self, count: int, shards: Iterable[str] = SHARDS) -> list[Record]:
        """Commits and publishes `count` events in each of the shards."""
        records = [record for shard in shards for record in self.logs[shard].take(count)]
        await self.commit(records)
        await self.publish(records)
        return records

    async def checkpoint(self, shard: str) -> Checkpoint | None:
        stored: Any = await self.redis.get(checkpoint_key(shard))
        return None if stored is None else Checkpoint.decode(stored)

    async def applied(self) -> int:
        """The number of events that the views contain."""
        found = [await self.checkpoint(shard) for shard in SHARDS]
        return sum(checkpoint.position for checkpoint in found if checkpoint is not None)

    async def head(self, shard: str) -> Head | None:
        stored: Any = await self.redis.get(head_key(shard))
        return None if stored is None else Head.decode(stored)

    async def wait_until_caught_up(self, *shards: str, seconds: float = 30) -> None:
        """Waits until the checkpoints are at the heads of the event log, without a target."""

        async def caught_up() -> bool:
            heads = await self.log.heads(shards or SHARDS)
            found = {shard: await self.checkpoint(shard) for shard in heads}
            return all(
                (at := found[shard]) is not None and (at.position, at.target) == (head, 0)
                for shard, head in heads.items()
            )

        await until(caught_up, "views caught up", seconds=seconds)

    async def verify_views(self, *shards: str, seconds: float = 30) -> None:
        """Waits until caught up, then compares every key with the fold of the event log."""
        await self.wait_until_caught_up(*shards, seconds=seconds)
        assert await view_differences(self.redis, self.log, shards or SHARDS) == []

    def command_environment(self) -> dict[str, str]:
        """The settings of the projector's commands."""
        return {
            "REDIS_URL": self.projector_url,
            "DATABASE_URL": self.database.log_reader_url,
            "PARTITIONS": str(PARTITIONS),
        }

    def start_projector(self, **settings: Any) -> "Projector":
        """Starts another projector process."""
        projector = Projector(self, **settings)
        self.projectors.append(projector)
        return projector


class Projector:
    """A process of `python -m projector run`."""

    def __init__(self, system: ProjectorSystem, **settings: Any) -> None:
        (self.port,) = free_ports(1)
        environment = {
            **system.command_environment(),
            "KAFKA_BOOTSTRAP_SERVERS": system.bootstrap,
            "CONSUMER_SESSION_SECONDS": "6",
            "CONSUMER_GROUP": system.group,
            "PORT": str(self.port),
            "LOG_LEVEL": "WARNING",
            **{name.upper(): str(value) for name, value in settings.items()},
        }
        self.process = subprocess.Popen(
            with_parent_death_signal([sys.executable, "-m", "projector", "run"], signal.SIGKILL),
            env={**os.environ, **environment},
        )

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}") as client:
            return await client.get(path)

    async def wait_until_ready(self) -> None:
        async def is_ready() -> bool:
            assert self.process.poll() is None, "the projector ended"
            try:
                return (await self.get("/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        await until(is_ready, "projector ready")

    async def metric(self, name: str) -> float:
        """The sum of `tandem_projector_<name>` over its labels. An unknown name is an error."""
        text = (await self.get("/metrics")).text
        assert f"# HELP tandem_projector_{name} " in text, f"unknown metric: {name}"
        found = [line for line in text.splitlines() if line.startswith(f"tandem_projector_{name}")]
        return sum(float(line.rsplit(" ", 1)[1]) for line in found)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def terminate(self) -> int:
        self.process.terminate()
        return self.process.wait(15)


def with_data(record: Record, data: bytes) -> Record:
    """The record with another value."""
    return record._replace(data=data)
