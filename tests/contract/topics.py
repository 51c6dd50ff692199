"""The topics as any consumer sees them: raw records, header by header."""

import json
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

TOPICS = ("users", "products", "orders")
PARTITIONS = 12


@dataclass(frozen=True)
class Raw:
    """A record. `value` is its JSON; `headers` as they stand there, in order."""

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
    """Reads on from where it stopped; `records` holds all that was read, in offset order."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.records: list[Raw] = []

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

    async def read_on(self) -> None:
        """Take what has come since."""
        for partition, batch in (await self._consumer.getmany(timeout_ms=200)).items():
            for r in batch:
                headers = [(name, value.decode()) for name, value in r.headers]
                self.records.append(
                    Raw(
                        partition.topic,
                        partition.partition,
                        r.key.decode(),
                        headers,
                        json.loads(r.value),
                    )
                )

    def of(self, id: str) -> list[Raw]:
        """The events of one aggregate as a consumer takes them: the next position only."""
        return [record for record in self.taken() if record.key == id]

    def taken(self) -> list[Raw]:
        positions: dict[tuple[str, int], int] = {}
        taken = []
        for record in self.records:
            place = (record.topic, record.partition)
            if record.position == positions.get(place, 0) + 1:
                positions[place] = record.position
                taken.append(record)
        return taken
