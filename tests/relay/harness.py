"""Starts relays, commits events, and verifies the topics as a strict consumer."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code
from prometheus_client import CollectorRegistry

from command_service.relay.main import run
from command_service.relay.settings import RelaySettings
from deploy.local.servers.parent_death_signal import with_parent_death_signal
from shared.contracts.ids import new_id
from shared.contracts.records import Record, from_kafka, position_of
from shared.contracts.shards import DEFAULT_PARTITIONS, TOPICS, shard_name, split_shard
from shared.event_log import COMMIT_CHANNEL
from shared.http.health import Check, Health
from shared.kafka.clients import Kafka, bootstrap_servers
from tests.support.database import Database
from tests.support.waiting import until

PARTITIONS = DEFAULT_PARTITIONS
SHORT_INTERVALS = {"lease_seconds": 2.0, "reconcile_interval_seconds": 1.0}
_UNKNOWN_TOPIC, _TOPIC_EXISTS = 3, 36


class Events:
    """Commits events as the owner of the event log."""

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
        """One transaction with one event for each of the shards."""
        names = list(shards)
        subjects = [self.subject(shard) for shard in names]
        data = [json.dumps({"id": id, "version": 1, "pad": "x" * 100}) for id in subjects]
        traces: list[str | None] = [None] * len(names)
        await self._connection.fetch(
            "SELECT * FROM append($1, $2, $3, $4, $5, $6, $7, $8)",
            names, [uuid.uuid4() for _ in names], ["test.happened"] * len(names), subjects,
            ["tester"] * len(names), [datetime.now(UTC)] * len(names), traces, data,
        )  # fmt: skip
        if notify:
            payload = ",".join(sorted(set(names)))
            await self._connection.execute("SELECT pg_notify($1, $2)", COMMIT_CHANNEL, payload)

    async def event_ids(self) -> dict[str, list[str]]:
        """The event ids of each shard, by position."""
        rows = await self._connection.fetch("SELECT shard, event_id FROM log ORDER BY position")
        ids: dict[str, list[str]] = {}
        for row in rows:
            ids.setdefault(row["shard"], []).append(str(row["event_id"]))
        return ids

    async def execute(self, statement: str, *values: object) -> None:
        await self._connection.execute(statement, *values)

    async def fetch_value(self, statement: str, *values: object) -> Any:
        return await self._connection.fetchval(statement, *values)

    async def owners(self) -> dict[str, uuid.UUID | None]:
        """The relay that leases each shard, if any."""
        rows = await self._connection.fetch(
            "SELECT shard, owner, leased_until > clock_timestamp() AS leased FROM relay_cursors"
        )
        return {row["shard"]: row["owner"] if row["leased"] else None for row in rows}

    async def cursor(self, shard: str) -> asyncpg.Record:
        row = await self._connection.fetchrow("SELECT * FROM relay_cursors WHERE shard = $1", shard)
        assert row is not None
        return row


class Topics:
    """Reads the topics, and damages them."""

    def __init__(self, bootstrap: str) -> None:
        self.kafka = Kafka(bootstrap_servers(bootstrap))

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = self.kafka.admin("test")
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    async def delete(self, *topics: str) -> None:
        """Delete those of the topics that exist."""
        async with self._admin() as admin:
            existing = set(await admin.list_topics()) & set(topics)
            if existing:
                response = await admin.delete_topics(sorted(existing))
                for _, code in response.topic_error_codes:
                    assert code in (0, _UNKNOWN_TOPIC), for_code(code)

    async def delete_and_wait(self, *topics: str) -> None:
        await self.delete(*topics)

        async def deleted() -> bool:
            return not set(await self.names()) & set(topics)

        await until(deleted, f"{topics} deleted")

    async def names(self) -> list[str]:
        async with self._admin() as admin:
            return list(await admin.list_topics())

    async def create(self, topic: str, partitions: int = PARTITIONS) -> None:
        async with self._admin() as admin:
            response = await admin.create_topics([NewTopic(topic, partitions, 1)])
        # A running relay may have created it first.
        assert response.topic_errors[0][1] in (0, _TOPIC_EXISTS), response

    async def describe(self) -> tuple[dict[str, int], dict[str, dict[str, str]]]:
        """The number of partitions and the configuration of each topic."""
        async with self._admin() as admin:
            described = await admin.describe_topics(list(TOPICS))
            resources = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in TOPICS]
            (response,) = await admin.describe_configs(resources)
        return (
            {topic["topic"]: len(topic["partitions"]) for topic in described},
            {r[3]: {c[0]: c[1] for c in r[4]} for r in response.resources},
        )

    async def delete_records(self, shard: str, before: int) -> None:
        """As retention does."""
        partition = TopicPartition(*split_shard(shard))
        async with self._admin() as admin:
            await admin.delete_records({partition: RecordsToDelete(before_offset=before)})

    async def put(
        self, shard: str, value: bytes | None, headers: list[tuple[str, bytes]] | None = None
    ) -> None:
        """Send a record of a foreign producer."""
        topic, partition = split_shard(shard)
        producer = self.kafka.producer("test")
        await producer.start()
        try:
            await producer.send_and_wait(
                topic, value, key=b"k", partition=partition, headers=headers or []
            )
        finally:
            await producer.stop()

    async def size(self) -> int:
        """The sum of the end offsets; 0 while a topic is missing."""
        if not set(TOPICS) <= set(await self.names()):
            return 0
        consumer = self.kafka.consumer("test")
        await consumer.start()
        try:
            partitions = [TopicPartition(topic, p) for topic in TOPICS for p in range(PARTITIONS)]
            return sum((await consumer.end_offsets(partitions)).values())
        finally:
            await consumer.stop()

    async def records(self, *topics: str) -> dict[str, list["TopicRecord"]]:
        """All records of each shard, in offset order."""
        consumer = self.kafka.consumer("test", auto_offset_reset="earliest")
        await consumer.start()
        try:
            partitions = [TopicPartition(t, p) for t in topics or TOPICS for p in range(PARTITIONS)]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            starts = await consumer.beginning_offsets(partitions)
            unread = {tp for tp in partitions if ends[tp] > starts[tp]}
            found: dict[str, list[TopicRecord]] = {shard_name(*tp): [] for tp in partitions}
            while unread:
                for tp, batch in (await consumer.getmany(*unread, timeout_ms=200)).items():
                    found[shard_name(*tp)] += [_topic_record(tp, record) for record in batch]
                    if batch[-1].offset + 1 >= ends[tp]:
                        unread.discard(tp)
            return found
        finally:
            await consumer.stop()


@dataclass(frozen=True)
class TopicRecord:
    offset: int
    position: int | None
    event: Record | None
    key: bytes | None


def _topic_record(tp: TopicPartition, record: Any) -> TopicRecord:
    event = from_kafka(shard_name(*tp), record.value, record.headers)
    return TopicRecord(record.offset, position_of(record.headers), event, record.key)


def consume(records: list[TopicRecord]) -> list[str]:
    """The event ids that a strict consumer processes; duplicates must be the same event."""
    ids: list[str] = []
    by_position: dict[int, Record] = {}
    for record in records:
        if record.event is None:
            continue
        first = by_position.setdefault(record.event.position, record.event)
        assert first == record.event, "a duplicate differs"
        if record.event.position == len(ids) + 1:
            ids.append(record.event.event_id)
    return ids


async def until_published(topics: Topics, events: Events, seconds: float = 120) -> None:
    """Wait until a strict consumer has processed every committed event, and no other."""
    committed = await events.event_ids()

    async def published() -> bool:
        try:
            found = await topics.records(*{split_shard(shard)[0] for shard in committed})
        except AssertionError:
            raise
        except Exception:
            return False
        return all(consume(found[shard]) == ids for shard, ids in committed.items())

    await until(published, "every event is in its partition", seconds=seconds)


def settings(database: Database, bootstrap: str, **overrides: Any) -> RelaySettings:
    values = {"database_url": database.relay_url, "kafka_bootstrap_servers": bootstrap, "port": 0}
    return RelaySettings(**{**values, **SHORT_INTERVALS, **overrides})


class _RelayHealth(Health):
    def __init__(self) -> None:
        super().__init__()
        self.readiness_checks: list[Check] = []

    def add_readiness_check(self, name: str, check: Check) -> None:
        super().add_readiness_check(name, check)
        self.readiness_checks.append(check)


class InProcessRelay:
    """A relay in the event loop of the test."""

    def __init__(self, settings: RelaySettings) -> None:
        self.registry, self.stopping = CollectorRegistry(), asyncio.Event()
        self._health = _RelayHealth()
        self._task = asyncio.create_task(run(settings, self.stopping, self._health, self.registry))

    def not_ready(self) -> str | None:
        checks = self._health.readiness_checks
        reasons = [reason for check in checks if (reason := check())]
        return "; ".join(reasons) or (None if checks else "starting")

    def count(self, name: str, **labels: str) -> float:
        """The value of a metric, 0 for a label that has not occurred."""
        name = f"tandem_relay_{name}"
        value = self.registry.get_sample_value(name, labels)
        known = {sample for metric in self.registry.collect() for sample in _sample_names(metric)}
        assert value is not None or not known or name in known, f"unknown metric {name}"
        return value or 0

    async def until_ready(self, seconds: float = 30) -> None:
        async def ready() -> bool:
            return self.not_ready() is None

        await until(ready, "the relay is ready", seconds=seconds)

    async def stop(self) -> None:
        self.stopping.set()
        async with asyncio.timeout(40):
            await self._task


def _sample_names(metric: Any) -> set[str]:
    return {metric.name, f"{metric.name}_total"}


class RelayProcess:
    """A relay in a process that can be killed or paused."""

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
