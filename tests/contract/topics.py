"""The topics as a consumer reads them: raw records with all headers."""

import json
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

TOPICS = ("users", "products", "orders")
PARTITIONS = 12


@dataclass(frozen=True)
class RawRecord:
    """A record. `value` is its JSON; `headers` are in their original order."""

    topic: str
    partition: int
    key: str
    headers: list[tuple[str, str]]
    value: dict[str, Any]

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key == name]
        assert len(found) <= 1
        return found[0] if found else None

    @property
    def position(self) -> int:
        return int(self.header("ce_position") or 0)

    @property
    def type(self) -> str:
        return self.header("ce_type") or ""


class Topics:
    """Reads the topics; `records` contains everything read so far, in offset order."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.records: list[RawRecord] = []

    @classmethod
    async def open(cls, bootstrap: str) -> "Topics":
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
        await consumer.start()
        partitions = [TopicPartition(topic, n) for topic in TOPICS for n in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        return cls(consumer)

    async def close(self) -> None:
        await self._consumer.stop()

    async def poll(self) -> None:
        """Read the records that have arrived since the last poll."""
        for partition, batch in (await self._consumer.getmany(timeout_ms=200)).items():
            for r in batch:
                headers = [(name, value.decode()) for name, value in r.headers]
                self.records.append(
                    RawRecord(
                        partition.topic,
                        partition.partition,
                        r.key.decode(),
                        headers,
                        json.loads(r.value),
                    )
                )

    def of(self, id: str) -> list[RawRecord]:
        """The events of one aggregate, without duplicates."""
        return [record for record in self.without_duplicates() if record.key == id]

    def without_duplicates(self) -> list[RawRecord]:
        """As a consumer processes them: a record is skipped unless it has the next position."""
        positions: dict[tuple[str, int], int] = {}
        processed = []
        for record in self.records:
            shard = (record.topic, record.partition)
            if record.position == positions.get(shard, 0) + 1:
                positions[shard] = record.position
                processed.append(record)
        return processed
