"""Finds the first event of an aggregate on its topic, as an ordinary Kafka consumer would."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from deploy.local.errors import StackError

TIMEOUT_S = 15


@dataclass(frozen=True, slots=True)
class Event:
    partition: int
    offset: int
    key: str
    headers: dict[str, str]
    value: dict[str, Any]


async def find_event(bootstrap_servers: str, topic: str, key: str) -> Event:
    """The first record with that key. Raises StackError after 15 s without one."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers.split(","), auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        return await asyncio.wait_for(_first(consumer, topic, key), TIMEOUT_S)
    except (TimeoutError, KafkaError) as error:
        raise StackError(f"no event with key {key} on topic {topic} ({error!r})") from error
    finally:
        await consumer.stop()


async def _first(consumer: AIOKafkaConsumer, topic: str, key: str) -> Event:
    partitions = await _partitions(consumer, topic)
    consumer.assign([TopicPartition(topic, partition) for partition in partitions])
    async for record in consumer:
        if record.key == key.encode():
            headers = {name: value.decode() for name, value in record.headers}
            value = json.loads(record.value)
            return Event(record.partition, record.offset, key, headers, value)
    raise StackError(f"the consumer of topic {topic} stopped")


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    while not (partitions := consumer.partitions_for_topic(topic)):
        await asyncio.sleep(0.1)
        await consumer._client.force_metadata_update()
    return set(partitions)
