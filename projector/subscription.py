"""The FastStream subscriber, with every default that could lose or delay a record named."""

import asyncio
import logging
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from projector.consumer import Consumer, Records
from projector.polling import Polling
from projector.settings import ProjectorSettings
from shared.contracts.shards import TOPICS
from shared.http.health import Heartbeat
from shared.kafka.clients import Kafka

logger = logging.getLogger(__name__)

_MOST_RECORDS: Final = 1000
_POLL_MS: Final = 1  # for FastStream; `polling.py` waits
_LAST_BATCH_SECONDS: Final = 4.0
_RETRY_SECONDS: Final = 1.0
_COMMIT_SECONDS: Final = 5.0
_STUCK_SECONDS: Final = 30.0
_SASL: Final = {
    "PLAIN": SASLPlaintext,
    "SCRAM-SHA-256": SASLScram256,
    "SCRAM-SHA-512": SASLScram512,
}


async def consume(
    settings: ProjectorSettings, consumer: Consumer, stop: asyncio.Event, heartbeat: Heartbeat
) -> None:
    """Until `stop`: consumes, with a new client whenever the present one gives nothing for long.

    Kafka may be away at the start and at any time later. At the end the batch in flight is
    finished; one that is not would be given again to whoever comes next.
    """
    while not stop.is_set():
        polled = Heartbeat(_STUCK_SECONDS)
        broker = _broker(settings, consumer, polled, heartbeat)
        try:
            await broker.connect()
            _watch_polls(broker, consumer, polled, heartbeat)
            await broker.start()
            await _until_stuck(consumer, stop, polled)
        except (KafkaError, OSError) as error:
            heartbeat.beat()
            logger.warning("Kafka is not reachable: %s", type(error).__name__)
            await _wait(stop, _RETRY_SECONDS)
        finally:
            await consumer.commit()
            await broker.stop()


async def _until_stuck(consumer: Consumer, stop: asyncio.Event, polled: Heartbeat) -> None:
    while not stop.is_set() and polled.overdue() is None:
        await _wait(stop, _COMMIT_SECONDS)
        await consumer.commit()


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


def _broker(
    settings: ProjectorSettings, consumer: Consumer, polled: Heartbeat, heartbeat: Heartbeat
) -> KafkaBroker:
    kafka = settings.kafka()
    broker = KafkaBroker(
        kafka.servers,  # a joined string fails
        security=_security(kafka),
        client_id="tandem-projector",
        consumer_only=True,
        allow_auto_create_topics=False,
        apply_types=False,
        graceful_timeout=_LAST_BATCH_SECONDS,  # None would not wait at all
        metadata_max_age_ms=10_000,
        request_timeout_ms=10_000,
        logger=_errors_only(),
    )
    session_ms = int(settings.consumer_session_seconds * 1000)
    subscriber = broker.subscriber(
        *TOPICS,
        batch=True,
        group_id=settings.consumer_group,
        ack_policy=AckPolicy.MANUAL,  # the default acknowledges first; the checkpoint is the truth
        auto_offset_reset="earliest",  # out of range on either side: from the start
        batch_timeout_ms=_POLL_MS,
        max_records=_MOST_RECORDS,
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
        await consumer.handle(records)

    return broker


def _security(kafka: Kafka) -> BaseSecurity:
    """The same as for our own clients, in FastStream's words."""
    user, password = kafka.sasl_plain_username, kafka.sasl_plain_password
    if user is None or password is None:
        return BaseSecurity(kafka.ssl_context)
    return _SASL[kafka.sasl_mechanism](user, password, kafka.ssl_context)


def _errors_only() -> logging.Logger:
    """FastStream's own logger writes past ours, and warns at each start of what is meant."""
    quiet = logging.getLogger("projector.faststream")
    quiet.setLevel(logging.ERROR)
    return quiet


async def _parse(records: tuple[ConsumerRecord[Any, Any], ...]) -> KafkaMessage:
    """Leaves headers as they are: FastStream's own parser loses the batch over a broken one."""
    return KafkaMessage(records, b"", correlation_id="-", consumer=FAKE_CONSUMER)


async def _decode(message: KafkaMessage) -> Any:
    return message.raw_message


def _watch_polls(
    broker: KafkaBroker, consumer: Consumer, polled: Heartbeat, heartbeat: Heartbeat
) -> None:
    """Makes each poll that Kafka's client answers a sign of life.

    FastStream logs a client that only raises, and goes on with it for ever.
    """
    build = broker.config.broker_config.builder

    def answered() -> None:
        polled.beat()
        heartbeat.beat()

    def watched(**options: Any) -> AIOKafkaConsumer:
        kafka = build(**options)
        kafka.getmany = Polling(kafka, answered).getmany
        consumer.use(kafka)
        return kafka

    broker.config.broker_config.builder = watched
