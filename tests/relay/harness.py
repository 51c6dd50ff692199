"""Relays to be started, events to be committed, and the strict reader that judges the topics."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
from aiokafka import TopicPartition
from aiokafka.errors import for_code
from prometheus_client import CollectorRegistry

from command_service.relay.main import run
from command_service.relay.settings import RelaySettings
from deploy.local.servers.parent_death_signal import with_parent_death_signal
from shared.contracts.ids import new_id
from shared.contracts.records import Record, from_kafka, position_of
from shared.contracts.shards import DEFAULT_PARTITIONS, TOPICS, shard_name, split_shard
from shared.http.health import Health
from shared.kafka.clients import Kafka, bootstrap_servers
from tests.support.database import Database
from tests.support.waiting import until

PARTITIONS = DEFAULT_PARTITIONS


_EXISTS = 36


class Events:
    """Commits events as the log's owner, and remembers them in order."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._random = random.Random(11)

    async def connect(self) -> None:
        self._connection = await asyncpg.connect(self._url)

    async def close(self) -> None:
        self._connection.terminate()

    def subject(self, shard: str) -> str:
        placement = split_shard(shard)[1] + PARTITIONS * self._random.randrange(300)
        return new_id(int(time.time() * 1000), self._random.getrandbits(62), placement)

    async def commit(self, shards: Iterable[str], notify: bool = True) -> None:
        """One transaction with an event for each of the shards named."""
        names = list(shards)
        subjects = [self.subject(shard) for shard in names]
        data = [json.dumps({"id": id, "version": 1, "pad": "x" * 100}) for id in subjects]
        nothing: list[str | None] = [None] * len(names)
        await self._connection.fetch(
            "SELECT * FROM append($1, $2, $3, $4, $5, $6, $7, $8)",
            names, [uuid.uuid4() for _ in names], ["test.happened"] * len(names), subjects,
            ["tester"] * len(names), [datetime.now(UTC)] * len(names), nothing, data,
        )  # fmt: skip
        if notify:
            await self._connection.execute(
                "SELECT pg_notify('tandem_log', $1)", ",".join(sorted(set(names)))
            )

    async def log(self, shard: str) -> list[str]:
        """The event ids of the shard, by position."""
        rows = await self._connection.fetch(
            "SELECT event_id FROM log WHERE shard = $1 ORDER BY position", shard
        )
        return [str(row["event_id"]) for row in rows]

    async def all_logs(self) -> dict[str, list[str]]:
        rows = await self._connection.fetch("SELECT shard, event_id FROM log ORDER BY position")
        logs: dict[str, list[str]] = {}
        for row in rows:
            logs.setdefault(row["shard"], []).append(str(row["event_id"]))
        return logs

    async def execute(self, statement: str, *values: object) -> None:
        await self._connection.execute(statement, *values)

    async def owners(self) -> dict[str, uuid.UUID | None]:
        rows = await self._connection.fetch(
            "SELECT shard, owner, leased_until > clock_timestamp() AS live FROM relay_cursors"
        )
        return {row["shard"]: row["owner"] if row["live"] else None for row in rows}

    async def cursor(self, shard: str) -> asyncpg.Record:
        row = await self._connection.fetchrow("SELECT * FROM relay_cursors WHERE shard = $1", shard)
        assert row is not None
        return row


class Topics:
    """What stands in Kafka, and the harm that is done to it."""

    def __init__(self, bootstrap: str) -> None:
        self._kafka = Kafka(bootstrap_servers(bootstrap))

    async def delete(self, *topics: str) -> None:
        """Delete those of the topics that exist, and see that they are gone."""
        admin = self._kafka.admin("test")
        await admin.start()
        try:
            there = set(await admin.list_topics()) & set(topics)
            if there:
                answer = await admin.delete_topics(sorted(there))
                for _, code in answer.topic_error_codes:
                    assert code in (0, 3), for_code(code)
        finally:
            await admin.close()

    async def delete_and_wait(self, *topics: str) -> None:
        await self.delete(*topics)

        async def gone() -> bool:
            return not set(await self.names()) & set(topics)

        await until(gone, f"{topics} deleted")

    async def names(self) -> list[str]:
        admin = self._kafka.admin("test")
        await admin.start()
        try:
            return list(await admin.list_topics())
        finally:
            await admin.close()

    async def create(self, topic: str, partitions: int = PARTITIONS) -> None:
        from aiokafka.admin import NewTopic

        admin = self._kafka.admin("test")
        await admin.start()
        try:
            answer = await admin.create_topics([NewTopic(topic, partitions, 1)])
            assert answer.topic_errors[0][1] in (0, _EXISTS), answer  # the relay may be first
        finally:
            await admin.close()

    async def delete_records(self, shard: str, before: int) -> None:
        """As retention does."""
        from aiokafka.admin import RecordsToDelete

        admin = self._kafka.admin("test")
        await admin.start()
        try:
            topic, partition = split_shard(shard)
            await admin.delete_records(
                {TopicPartition(topic, partition): RecordsToDelete(before_offset=before)}
            )
        finally:
            await admin.close()

    async def put(
        self, shard: str, value: bytes | None, headers: list[tuple[str, bytes]] | None = None
    ) -> None:
        """A record of somebody else."""
        topic, partition = split_shard(shard)
        producer = self._kafka.producer("test")
        await producer.start()
        try:
            await producer.send_and_wait(
                topic, value, key=b"k", partition=partition, headers=headers or []
            )
        finally:
            await producer.stop()

    async def size(self) -> int:
        """The end offsets of all partitions, summed up; 0 while a topic is missing."""
        if not set(TOPICS) <= set(await self.names()):
            return 0
        consumer = self._kafka.consumer("test")
        await consumer.start()
        try:
            at = [TopicPartition(topic, p) for topic in TOPICS for p in range(PARTITIONS)]
            return sum((await consumer.end_offsets(at)).values())
        finally:
            await consumer.stop()

    async def records(self, *topics: str) -> dict[str, list["Placed"]]:
        """Every record, for each shard in offset order."""
        consumer = self._kafka.consumer("test", auto_offset_reset="earliest")
        await consumer.start()
        try:
            at = [TopicPartition(t, p) for t in topics or TOPICS for p in range(PARTITIONS)]
            consumer.assign(at)
            ends = await consumer.end_offsets(at)
            starts = await consumer.beginning_offsets(at)
            missing = {tp for tp in at if ends[tp] > starts[tp]}
            found: dict[str, list[Placed]] = {shard_name(*tp): [] for tp in at}
            while missing:
                for tp, batch in (await consumer.getmany(*missing, timeout_ms=200)).items():
                    found[shard_name(*tp)] += [_placed(tp, record) for record in batch]
                    if batch[-1].offset + 1 >= ends[tp]:
                        missing.discard(tp)
            return found
        finally:
            await consumer.stop()


@dataclass(frozen=True)
class Placed:
    offset: int
    position: int | None
    record: Record | None
    key: bytes | None


def _placed(tp: TopicPartition, record: Any) -> Placed:
    event = from_kafka(shard_name(*tp), record.value, record.headers)
    return Placed(record.offset, position_of(record.headers), event, record.key)


def take_in_order(records: list[Placed], taken: int = 0) -> list[str]:
    """The event ids that a strict reader takes; repeats of a position must be the same event."""
    ids: list[str] = []
    by_position: dict[int, Record] = {}
    for placed in records:
        if placed.record is None:
            continue
        first = by_position.setdefault(placed.record.position, placed.record)
        assert first == placed.record, "a repeat differs"
        if placed.record.position == taken + len(ids) + 1:
            ids.append(placed.record.event_id)
    return ids


async def complete(topics: Topics, events: Events, seconds: float = 120) -> None:
    """Wait until a strict reader has every committed event, and none beside them."""
    logs = await events.all_logs()

    async def all_there() -> bool:
        try:
            found = await topics.records(*{split_shard(shard)[0] for shard in logs})
        except AssertionError:
            raise
        except Exception:
            return False
        return all(take_in_order(found[shard]) == ids for shard, ids in logs.items())

    await until(all_there, "every event in its partition", seconds=seconds)


QUICK = {"lease_seconds": 2.0, "reconcile_interval_seconds": 1.0}


def settings(database: Database, bootstrap: str, **more: Any) -> RelaySettings:
    values = {"database_url": database.relay_url, "kafka_bootstrap_servers": bootstrap, "port": 0}
    return RelaySettings(**{**values, **QUICK, **more})


class InProcess:
    """A relay in the test's own event loop."""

    def __init__(self, settings: RelaySettings) -> None:
        self.registry, self.health, self.stopping = CollectorRegistry(), Health(), asyncio.Event()
        self._task = asyncio.create_task(run(settings, self.stopping, self.health, self.registry))

    def not_ready(self) -> str | None:
        reasons = [why for check in self.health._ready.values() if (why := check())]
        return "; ".join(reasons) or (None if self.health._ready else "starting")

    def count(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"tandem_relay_{name}", labels) or 0

    async def ready(self, seconds: float = 30) -> None:
        async def is_ready() -> bool:
            return self.not_ready() is None

        await until(is_ready, "relay ready", seconds=seconds)

    async def stop(self) -> None:
        self.stopping.set()
        async with asyncio.timeout(40):
            await self._task


class Subprocess:
    """A relay in a process of its own, to be killed or paused."""

    def __init__(self, settings: RelaySettings) -> None:
        environment = {
            "DATABASE_URL": settings.database_url,
            "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "LEASE_SECONDS": str(settings.lease_seconds),
            "RECONCILE_INTERVAL_SECONDS": str(settings.reconcile_interval_seconds),
        }
        self._process = subprocess.Popen(
            with_parent_death_signal([sys.executable, "-m", "tests.relay.process"], signal.SIGKILL),
            env={**os.environ, **environment},
        )

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)

    def terminate(self) -> int:
        self._process.terminate()
        return self._process.wait(40)
