"""Reads and deletes topics, like any consumer or administrator."""

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.contracts.records import Record, from_kafka
from shared.contracts.shards import DEFAULT_PARTITIONS, TOPICS, shard_name
from tests.support.waiting import until


async def delete_topics(bootstrap: str, topics: Iterable[str] = TOPICS) -> None:
    """Returns when the topics are deleted."""
    names = set(topics)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        existing = names & set(await admin.list_topics())
        if existing:
            await admin.delete_topics(sorted(existing))

        async def deleted() -> bool:
            return not names & set(await admin.list_topics())

        await until(deleted, "the topics are deleted")
    finally:
        await admin.close()


async def read_topic(bootstrap: str, topic: str) -> dict[int, list[Record]]:
    """The records of a topic, by partition, in offset order, without foreign records."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, p) for p in range(DEFAULT_PARTITIONS)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            await consumer.seek_to_beginning(partition)
        found: dict[int, list[Record]] = {p.partition: [] for p in partitions}
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            for partition, batch in (await consumer.getmany(timeout_ms=200)).items():
                for r in batch:
                    record = from_kafka(shard_name(topic, partition.partition), r.value, r.headers)
                    if record is not None:
                        found[partition.partition].append(record)
        return found
    finally:
        # Stopping awaits a task that it has cancelled, which fails if the task has not started yet.
        await asyncio.sleep(0)
        await consumer.stop()


def without_duplicates(records: Iterable[Record]) -> list[Record]:
    """The records that a consumer processes if it skips all positions but the next."""
    processed: list[Record] = []
    for record in records:
        if record.position == len(processed) + 1:
            processed.append(record)
    return processed
