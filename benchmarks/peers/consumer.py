"""The limit of the projector: aiokafka reads the topics, and the values are decoded."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from aiokafka import TopicPartition

from benchmarks.peers.work import Work, run_work
from shared.contracts.shards import DEFAULT_PARTITIONS, all_shards, split_shard
from shared.kafka.clients import Kafka, bootstrap_servers


@asynccontextmanager
async def prepare() -> AsyncIterator[Work]:
    kafka = Kafka(bootstrap_servers(os.environ["KAFKA_BOOTSTRAP_SERVERS"]))
    consumer = kafka.consumer("bench", auto_offset_reset="earliest")
    await consumer.start()
    partitions = [TopicPartition(*split_shard(shard)) for shard in all_shards(DEFAULT_PARTITIONS)]
    total = sum((await consumer.end_offsets(partitions)).values())

    async def work() -> int:
        consumer.assign(partitions)
        read = 0
        while read < total:
            for records in (await consumer.getmany(timeout_ms=500, max_records=1000)).values():
                for record in records:
                    orjson.loads(record.value)
                read += len(records)
        return read

    yield work
    await consumer.stop()


if __name__ == "__main__":
    run_work(prepare)
