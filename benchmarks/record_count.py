"""Counts the records of the topics."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from shared.contracts.shards import DEFAULT_PARTITIONS, all_shards, split_shard
from shared.kafka.clients import Kafka, bootstrap_servers


@asynccontextmanager
async def record_counter(bootstrap: str) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """A function that returns the number of records of all topics; 0 while a topic is missing."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it logs each missing topic
    consumer = Kafka(bootstrap_servers(bootstrap)).consumer("bench")
    await consumer.start()
    partitions = [TopicPartition(*split_shard(shard)) for shard in all_shards(DEFAULT_PARTITIONS)]

    async def count() -> int:
        try:
            return sum((await consumer.end_offsets(partitions)).values())
        except (KafkaError, ValueError):
            return 0

    try:
        yield count
    finally:
        await consumer.stop()
