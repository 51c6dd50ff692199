"""Creates missing topics, and reports the topics that cannot be published to."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, NoError, TopicAlreadyExistsError, for_code

from command_service.relay.errors import TopicsUnusable
from command_service.relay.retry import wait_until_set
from command_service.relay.settings import CreateTopicsSettings, TopicSettings
from shared.contracts.shards import TOPICS
from shared.kafka.clients import Kafka

_ADMIN_SECONDS: Final = 20
_RETRY_SECONDS: Final = 1.0
_REQUESTED_POLL_SECONDS: Final = 0.2
KEPT_INDEFINITELY: Final = frozenset({"products"})
logger = structlog.get_logger(__name__)


def topic_configs(topic: str, settings: TopicSettings) -> dict[str, str]:
    """Only closed segments are deleted, so a segment is closed within the retention."""
    retention = -1 if topic in KEPT_INDEFINITELY else settings.retention_ms
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
    """The topics as of the last poll. `problems` is empty if all can be published to."""

    def __init__(self, kafka: Kafka, settings: TopicSettings) -> None:
        self._kafka, self._settings = kafka, settings
        self.problems: dict[str, str] = dict.fromkeys(TOPICS, "the topics were not polled yet")
        self.unavailable: str | None = None

    def is_usable(self, topic: str) -> bool:
        return topic not in self.problems

    def not_ready(self) -> str | None:
        """Why the topics cannot all be published to now, or None."""
        return self.unavailable or "; ".join(sorted(set(self.problems.values()))) or None

    async def poll(self) -> None:
        """Create missing topics and compare the others with the settings.

        Raises KafkaError, OSError or TimeoutError. Several relays may do it at once, and one may
        die in it: Kafka creates a topic completely or not at all.
        """
        admin = self._kafka.admin("tandem-relay-topics")
        try:
            async with asyncio.timeout(_ADMIN_SECONDS):
                await admin.start()
                await self._poll(admin)
        finally:
            await admin.close()

    async def _poll(self, admin: AIOKafkaAdminClient) -> None:
        counts = await _partition_counts(admin)
        missing = [topic for topic in TOPICS if topic not in counts]
        if missing:
            created = await self._create(admin, missing)
            counts |= dict.fromkeys(created, self._settings.partitions)
        for topic in TOPICS:
            self._compare(topic, counts.get(topic))

    def _compare(self, topic: str, partitions: int | None) -> None:
        if partitions == self._settings.partitions:
            self.problems.pop(topic, None)
            return
        if partitions is None:  # it exists, but the broker does not list it yet
            self.problems[topic] = f"topic {topic} is being created"
            return
        reason = f"topic {topic} has {partitions} partitions, PARTITIONS is "
        reason += f"{self._settings.partitions}: nothing is published to it"
        if self.problems.get(topic) != reason:
            logger.error("topic_unusable", topic=topic, reason=reason)
        self.problems[topic] = reason

    async def _create(self, admin: AIOKafkaAdminClient, missing: Sequence[str]) -> list[str]:
        """Returns the topics that this call created. Others may have another configuration."""
        new = [
            NewTopic(
                name=topic,
                num_partitions=self._settings.partitions,
                replication_factor=self._settings.replication_factor,
                # aiokafka's notation for the default of the brokers.
                replica_assignments={} if self._settings.replication_factor == -1 else None,
                topic_configs=topic_configs(topic, self._settings),
            )
            for topic in missing
        ]
        response = await admin.create_topics(new)
        created = []
        for topic, code, *_ in response.topic_errors:
            error = for_code(code)
            if error is NoError:
                created.append(topic)
                logger.warning("topic_created", topic=topic)
            elif error is not TopicAlreadyExistsError:
                raise error(topic)
        return created


async def poll_topics(topics: Topics, interval_seconds: float, requested: asyncio.Event) -> None:
    """Poll now, then at the interval and on request, until cancelled. Kafka may be unavailable."""
    while True:
        wait = interval_seconds
        try:
            await topics.poll()
            topics.unavailable = None
            if topics.problems:
                wait = min(interval_seconds, _RETRY_SECONDS)
        except Exception as error:
            wait = _RETRY_SECONDS
            if topics.unavailable is None:
                logger.warning("topic_poll_failed", exc_info=error)
            topics.unavailable = f"Kafka: {type(error).__name__}"
        requested.clear()
        await wait_until_set(requested, wait)
        if requested.is_set():  # many shards find their topic missing at the same time
            await asyncio.sleep(_REQUESTED_POLL_SECONDS)


async def create_topics(settings: CreateTopicsSettings) -> None:
    """Create the missing topics and leave the others. Raises TopicsUnusable after the timeout.

    Kafka may be unavailable until then. After a crash the next run creates the remaining topics.
    """
    topics = Topics(settings.kafka(), settings)
    reason = topics.not_ready()
    try:
        async with asyncio.timeout(settings.wait_timeout_seconds):
            while reason is not None:
                try:
                    await topics.poll()
                    reason = topics.not_ready()
                except (KafkaError, OSError, TimeoutError) as error:
                    reason = f"Kafka: {type(error).__name__}"
                if reason is not None:
                    await asyncio.sleep(_RETRY_SECONDS)
    except TimeoutError:
        raise TopicsUnusable(reason) from None


async def _partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """Of the existing topics. All are requested: a request by name could create a topic."""
    described: list[Any] = await admin.describe_topics()
    return {
        topic["topic"]: len(topic["partitions"])
        for topic in described
        if topic["error_code"] == 0 and topic["partitions"]
    }
