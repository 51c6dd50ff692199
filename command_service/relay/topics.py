"""Makes the topics where they are missing, and says what is wrong with those that are there."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import NoError, TopicAlreadyExistsError, for_code

from command_service.relay.settings import TopicSettings
from shared.contracts.shards import TOPICS
from shared.kafka.clients import Kafka

_ADMIN_SECONDS: Final = 20
_NUDGED_SECONDS: Final = 0.2
KEPT_FOR_EVER: Final = frozenset({"products"})
logger = structlog.get_logger(__name__)


def topic_configs(topic: str, settings: TopicSettings) -> dict[str, str]:
    """Personal data must end: only closed segments are deleted, so they are closed early enough."""
    retention = -1 if topic in KEPT_FOR_EVER else settings.retention_ms
    segment = settings.segment_ms if retention < 0 else min(settings.segment_ms, retention)
    in_sync = settings.min_insync_replicas
    return {
        **({"min.insync.replicas": str(in_sync)} if in_sync else {}),
        "cleanup.policy": "delete",
        "retention.ms": str(retention),
        "retention.bytes": "-1",
        "segment.ms": str(segment),
        "message.timestamp.type": "LogAppendTime",
    }


class Topics:
    """The topics as they were last seen. `problems` is empty when all may be published to."""

    def __init__(self, kafka: Kafka, settings: TopicSettings) -> None:
        self._kafka, self._settings = kafka, settings
        self.problems: dict[str, str] = dict.fromkeys(TOPICS, "the topics were not seen yet")
        self.unreachable: str | None = None

    def usable(self, topic: str) -> bool:
        return topic not in self.problems

    def not_ready(self) -> str | None:
        """Why not all of them can be published to now, or None."""
        return self.unreachable or "; ".join(sorted(set(self.problems.values()))) or None

    async def look(self) -> None:
        """Create what is missing. Raises KafkaError, OSError or TimeoutError.

        Two relays may do it at once, and one may die in between: a topic is made or it is not.
        """
        admin = self._kafka.admin("tandem-relay-topics")
        try:
            async with asyncio.timeout(_ADMIN_SECONDS):
                await admin.start()
                await self._look(admin)
        finally:
            await admin.close()

    async def _look(self, admin: AIOKafkaAdminClient) -> None:
        counts = await _partition_counts(admin)
        missing = [topic for topic in TOPICS if topic not in counts]
        if missing:
            made = await self._create(admin, missing)
            counts |= dict.fromkeys(made, self._settings.partitions)
        for topic in TOPICS:
            self._judge(topic, counts.get(topic))

    def _judge(self, topic: str, partitions: int | None) -> None:
        if partitions == self._settings.partitions:
            self.problems.pop(topic, None)
            return
        if partitions is None:  # it exists, but the broker that was asked does not know it yet
            self.problems[topic] = f"topic {topic} is being made"
            return
        told = f"topic {topic} has {partitions} partitions, PARTITIONS says "
        told += f"{self._settings.partitions}: nothing is published there"
        if self.problems.get(topic) != told:
            logger.error("topic_unusable", reason=told)
        self.problems[topic] = told

    async def _create(self, admin: AIOKafkaAdminClient, missing: Sequence[str]) -> list[str]:
        """Returns those that this call made; others may have made the rest, in their own way."""
        new = [
            NewTopic(
                name=topic,
                num_partitions=self._settings.partitions,
                replication_factor=self._settings.replication_factor,
                # The client's own way to say that the brokers' default holds.
                replica_assignments={} if self._settings.replication_factor == -1 else None,
                topic_configs=topic_configs(topic, self._settings),
            )
            for topic in missing
        ]
        answer = await admin.create_topics(new)
        made = []
        for topic, code, *_ in answer.topic_errors:
            error = for_code(code)
            if error is NoError:
                made.append(topic)
                logger.warning("topic_created", topic=topic)
            elif error is not TopicAlreadyExistsError:
                raise error(topic)
        return made


async def keep_looking(topics: Topics, every_seconds: float, nudge: asyncio.Event) -> None:
    """Look now, then every so often and when nudged, until cancelled. Kafka may be down."""
    while True:
        wait = every_seconds
        try:
            await topics.look()
            topics.unreachable = None
            wait = min(every_seconds, 1.0) if topics.problems else every_seconds
        except Exception as error:
            wait = 1.0
            if topics.unreachable is None:
                logger.warning("topics_not_seen", exc_info=error)
            topics.unreachable = f"Kafka: {type(error).__name__}"
        nudge.clear()
        try:
            async with asyncio.timeout(wait):
                await nudge.wait()
        except TimeoutError:
            continue
        await asyncio.sleep(_NUDGED_SECONDS)  # many shards miss their topic at once


async def _partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """Of the topics that exist; all are asked for, so that asking makes none."""
    described: list[Any] = await admin.describe_topics()
    return {
        topic["topic"]: len(topic["partitions"])
        for topic in described
        if topic["error_code"] == 0 and topic["partitions"]
    }
