"""The FastStream subscriber, with every default overridden that could lose or delay a record."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from projector.consumer import Consumer, Records
from projector.settings import ProjectorSettings
from shared.contracts.shards import TOPICS, shard_name
from shared.http.health import Heartbeat
from shared.kafka.clients import Kafka

logger = structlog.get_logger(__name__)

_MAX_RECORDS: Final = 1000
_FASTSTREAM_POLL_MS: Final = 1
_POLL_MS: Final = 200
_LAST_BATCH_TIMEOUT_S: Final = 4.0
_RETRY_S: Final = 1.0
_COMMIT_INTERVAL_S: Final = 5.0
_POLL_TIMEOUT_S: Final = 30.0
_SASL: Final = {
    "PLAIN": SASLPlaintext,
    "SCRAM-SHA-256": SASLScram256,
    "SCRAM-SHA-512": SASLScram512,
}


async def consume(
    settings: ProjectorSettings,
    consumer: Consumer,
    stop: asyncio.Event,
    heartbeat: Heartbeat,
    stay_away: Callable[[], str | None],
) -> None:
    """Consumes until `stop`, with a new client if no poll has succeeded for _POLL_TIMEOUT_S.

    While `stay_away` returns a reason, this process is outside the group, whose other members then
    have all shards.

    Kafka may be unavailable at the start and later. At the end, the batch in progress is finished;
    otherwise the next owner of the shard would receive it again.
    """
    while not stop.is_set():
        if stay_away() is not None:
            heartbeat.beat()
            await _sleep(stop, _RETRY_S)
            continue
        polls = Heartbeat(_POLL_TIMEOUT_S)
        broker = _broker(settings, consumer, polls, heartbeat)
        try:
            await broker.connect()
            _observe_polls(broker, consumer, polls, heartbeat)
            await broker.start()
            while not stop.is_set() and polls.overdue() is None and stay_away() is None:
                await _sleep(stop, _COMMIT_INTERVAL_S)
                await consumer.commit()
        except (KafkaError, OSError) as error:
            heartbeat.beat()
            logger.warning("kafka_unreachable", error=type(error).__name__)
            await _sleep(stop, _RETRY_S)
        finally:
            await consumer.commit()
            await broker.stop()
            if stay_away() is not None:  # aiokafka does not revoke when it leaves the group
                await consumer.on_partitions_revoked(set())
            await consumer.finish()


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    """Sleeps until `stop`, at most for `seconds`."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


def _broker(
    settings: ProjectorSettings, consumer: Consumer, polls: Heartbeat, heartbeat: Heartbeat
) -> KafkaBroker:
    kafka = settings.kafka()
    broker = KafkaBroker(
        kafka.servers,  # a joined string fails
        security=_security(kafka),
        client_id="tandem-projector",
        consumer_only=True,
        allow_auto_create_topics=False,
        apply_types=False,
        graceful_timeout=_LAST_BATCH_TIMEOUT_S,  # None would not wait
        metadata_max_age_ms=10_000,
        request_timeout_ms=10_000,
        logger=_errors_only(),
    )
    session_ms = int(settings.consumer_session_seconds * 1000)
    subscriber = broker.subscriber(
        *TOPICS,
        batch=True,
        group_id=settings.consumer_group,
        ack_policy=AckPolicy.MANUAL,  # the default acknowledges before the batch is written
        auto_offset_reset="earliest",  # for an offset out of range on either side
        batch_timeout_ms=_FASTSTREAM_POLL_MS,  # `_Poller` waits instead
        max_records=_MAX_RECORDS,
        fetch_max_wait_ms=500,
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=session_ms // 5,
        rebalance_timeout_ms=session_ms,
        partition_assignment_strategy=(RoundRobinPartitionAssignor,),
        listener=consumer,
        parser=_parse,
        decoder=_decode,
        include_in_schema=False,
    )

    @subscriber
    async def project(records: Records) -> None:
        await consumer.deliver(records)

    return broker


def _security(kafka: Kafka) -> BaseSecurity:
    """The settings of Tandem's other Kafka clients, as FastStream expects them."""
    user, password = kafka.sasl_plain_username, kafka.sasl_plain_password
    if user is None or password is None:
        return BaseSecurity(kafka.ssl_context)
    return _SASL[kafka.sasl_mechanism](user, password, kafka.ssl_context)


def _errors_only() -> logging.Logger:
    """FastStream's default logger has its own handler, and warns about intended settings."""
    quiet = logging.getLogger("projector.faststream")
    quiet.setLevel(logging.ERROR)
    return quiet


async def _parse(records: tuple[ConsumerRecord[Any, Any], ...]) -> KafkaMessage:
    """Does not decode headers: FastStream's parser loses a batch with an undecodable one."""
    return KafkaMessage(records, b"", correlation_id="-", consumer=FAKE_CONSUMER)


async def _decode(message: KafkaMessage) -> Any:
    return message.raw_message


def _observe_polls(
    broker: KafkaBroker, consumer: Consumer, polls: Heartbeat, heartbeat: Heartbeat
) -> None:
    """Makes each successful poll of a client that FastStream builds a heartbeat.

    FastStream logs the errors of a client whose every poll fails, and keeps that client.
    """
    build = broker.config.broker_config.builder

    def beat() -> None:
        polls.beat()
        heartbeat.beat()

    def build_observed(**options: Any) -> AIOKafkaConsumer:
        kafka = build(**options)
        kafka.getmany = _Poller(kafka, beat).getmany
        consumer.use_kafka(kafka)
        return kafka

    broker.config.broker_config.builder = build_observed


class _Poller:
    """Replaces a consumer's `getmany`; calls `beat` after each poll that did not raise.

    A poll ends as soon as there are records. It waits for them longer than FastStream's timeout,
    because FastStream sleeps for that timeout after a poll without records.

    A header whose name is not UTF-8 makes every poll of the client raise, for all partitions.
    Such a record is not Tandem's. Records that are skipped with it are read from the event log.
    """

    def __init__(self, kafka: AIOKafkaConsumer, beat: Callable[[], None]) -> None:
        self._kafka = kafka
        self._getmany = kafka.getmany
        self._beat = beat
        self._unreadable: dict[TopicPartition, int] = {}

    async def getmany(self, *partitions: TopicPartition, **limits: Any) -> Any:
        """As the client's own method; raises KafkaError and what else that raises."""
        try:
            records = await self._getmany(*partitions, **limits | {"timeout_ms": _POLL_MS})
        except UnicodeDecodeError:
            records = await self._poll_one_by_one(limits | {"timeout_ms": 0})
        self._beat()
        return records

    async def _poll_one_by_one(self, limits: dict[str, Any]) -> dict[TopicPartition, Any]:
        found: dict[TopicPartition, Any] = {}
        for partition in self._kafka.assignment() - self._kafka.paused():
            try:
                found |= await self._getmany(partition, **limits)
            except UnicodeDecodeError:
                await self._skip_unreadable(partition)
        return found

    async def _skip_unreadable(self, partition: TopicPartition) -> None:
        """Skips at the second failure at one offset: at the first, it may be a later record."""
        offset = await self._kafka.position(partition)
        if self._unreadable.get(partition) == offset:
            logger.warning("unreadable_record_skipped", shard=shard_name(*partition), offset=offset)
            self._kafka.seek(partition, offset + 1)
        self._unreadable[partition] = offset
