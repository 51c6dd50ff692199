"""The limit of the relay: aiokafka produces the records of the event log from memory.

Batches are as large as the relay's, one in flight per partition; keys and headers are prepared.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic

from benchmarks.peers.work import Work, run_work
from shared.contracts.records import to_headers
from shared.contracts.shards import DEFAULT_PARTITIONS, TOPICS, all_shards, split_shard
from shared.event_log import PostgresEventLog
from shared.kafka.clients import Kafka, bootstrap_servers

PREFIX: Final = "limit-"
_BATCH_BYTES: Final = 512 * 1024
Records = list[dict[str, Any]]


@asynccontextmanager
async def prepare() -> AsyncIterator[Work]:
    kafka = Kafka(bootstrap_servers(os.environ["KAFKA_BOOTSTRAP_SERVERS"]))
    admin = kafka.admin("bench")
    await admin.start()
    await admin.create_topics([NewTopic(PREFIX + topic, DEFAULT_PARTITIONS, 1) for topic in TOPICS])
    await admin.close()
    records = await _records()
    producer = kafka.producer(
        "bench", compression_type="snappy", max_batch_size=_BATCH_BYTES, linger_ms=0
    )
    await producer.start()
    for topic in TOPICS:
        await producer.partitions_for(PREFIX + topic)

    async def work() -> int:
        await asyncio.gather(*(_produce(producer, *shard) for shard in records.items()))
        return sum(map(len, records.values()))

    yield work
    await producer.stop()


async def _records() -> dict[str, Records]:
    pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=1)
    log, records = PostgresEventLog(pool), {}
    for shard in all_shards(DEFAULT_PARTITIONS):
        of_shard: Records = []
        while rows := await log.read(shard, len(of_shard) + 1, 5000):
            of_shard += [
                {
                    "timestamp": None,
                    "key": row.subject.encode(),
                    "value": row.data,
                    "headers": to_headers(row),
                }
                for row in rows
            ]
        records[shard] = of_shard
    await pool.close()
    return records


async def _produce(producer: AIOKafkaProducer, shard: str, records: Records) -> None:
    topic, partition = split_shard(shard)
    batch = producer.create_batch()
    for record in records:
        if batch.append(**record) is None:
            await (await producer.send_batch(batch, PREFIX + topic, partition=partition))
            batch = producer.create_batch()
            batch.append(**record)
    if batch.record_count():
        await (await producer.send_batch(batch, PREFIX + topic, partition=partition))


if __name__ == "__main__":
    run_work(prepare)
