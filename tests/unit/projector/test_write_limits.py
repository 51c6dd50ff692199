"""No write blocks Redis for long, and a catch-up has few bytes in memory."""

from collections.abc import Sequence

import orjson
from prometheus_client import CollectorRegistry

from projector.catch_up import CatchUp
from projector.metrics import Metrics
from projector.projection import Projection
from projector.store import MAX_WRITE_BYTES, MAX_WRITE_ITEMS, WriteBatch
from projector.views.registry import SHAPES
from shared.contracts.records import Record
from shared.contracts.shards import split_shard
from shared.contracts.views import decode_checkpoint
from shared.event_log import MAX_READ_BYTES
from tests.projector.memory_store import MemoryStore
from tests.support.expected_views import differences, expected_content

USER = "0199a000-0000-7000-8000-000000000000"


class MeasuringStore(MemoryStore):
    """Records the writes; the one with the number `failing_write` raises without any effect."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[WriteBatch] = []
        self.failing_write: int | None = None

    async def write(self, shard: str, expected: bytes, writes: WriteBatch) -> bool:
        if len(self.writes) == self.failing_write:
            self.failing_write = None
            raise ConnectionError("simulated failure")
        self.writes.append(writes)
        return await super().write(shard, expected, writes)


class BoundedLog:
    """An event log that returns at most MAX_READ_BYTES, like PostgreSQL."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        self.rows_read = 0

    async def read(self, shard: str, first: int, limit: int) -> Sequence[Record]:
        rows: list[Record] = []
        size = 0
        for row in self._records[first - 1 : first - 1 + limit]:
            if size >= MAX_READ_BYTES:
                break
            size += len(row.data)
            rows.append(row)
        self.rows_read += len(rows)
        return rows


class Setup:
    """A catch-up of these records."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.shard = records[0].shard
        self.records = records
        self.store = MeasuringStore()
        self.log = BoundedLog(records)
        self.store.stored[self.shard] = b"0 -1 - 0"
        shapes = SHAPES[split_shard(self.shard)[0]]
        metrics = Metrics(CollectorRegistry())
        self.projection = Projection(self.shard, shapes, self.store, metrics)
        self.catch_up = CatchUp(self.projection, self.log)  # type: ignore[arg-type]

    async def run(self) -> None:
        stored: bytes | None = self.store.stored[self.shard]
        while stored is not None:
            stored = await self.catch_up.step(stored)

    def check(self) -> None:
        checkpoint = decode_checkpoint(self.store.stored[self.shard])
        assert checkpoint is not None
        assert checkpoint.position == len(self.records)
        expected = expected_content(self.shard, self.records)
        assert differences(expected, self.store.content(self.shard)) == []
        assert max(write.relative_size() for write in self.store.writes) <= 1


def record(topic: str, type: str, position: int, id: str, data: dict[str, object]) -> Record:
    time = "2026-03-01T12:00:00.000Z"
    body = orjson.dumps({"id": id, **data})
    return Record(f"{topic}.0", position, f"e{position}", type, id, None, time, None, body)


def large_order(position: int) -> Record:
    id = f"0199a000-0000-7000-8000-{position:08}0000"
    price = {"amount": 500, "currency": "EUR"}
    items = [
        {"product_id": id, "name": "ä" * 200, "quantity": 1, "unit_price": price}
        for _ in range(100)
    ]
    data = {
        "version": 1,
        "customer_id": USER,
        "customer_name": "Ada",
        "items": items,
        "total": {"amount": 50_000, "currency": "EUR"},
        "shipping_address": "1 Main Street",
        "payment_due_at": None,
    }
    return record("orders", "order.placed", position, id, data)


async def test_large_documents_are_written_in_small_batches() -> None:
    setup = Setup([large_order(position) for position in range(1, 301)])
    await setup.run()
    setup.check()
    assert max(sum(map(len, w.values.values())) for w in setup.store.writes) < MAX_WRITE_BYTES  # type: ignore[arg-type]
    # It reads few rows once more, although every read ends early.
    assert setup.log.rows_read < 2 * len(setup.records)


async def test_large_documents_follow_small_ones_without_a_large_write() -> None:
    small = [
        record("orders", "order.placed", n, f"0199a000-0000-7000-8000-{n:08}0000", SMALL)
        for n in range(1, 1001)
    ]
    setup = Setup([*small, *(large_order(n) for n in range(1001, 1101))])
    await setup.run()
    setup.check()
    assert len(setup.store.writes) < 100


SMALL = {
    "version": 1,
    "customer_id": USER,
    "customer_name": "Ada",
    "items": [
        {
            "product_id": USER,
            "name": "Tea",
            "quantity": 1,
            "unit_price": {"amount": 5, "currency": "EUR"},
        }
    ],
    "total": {"amount": 5, "currency": "EUR"},
    "shipping_address": "1 Main Street",
    "payment_due_at": None,
}


def renamed_often(times: int) -> list[Record]:
    created = {"version": 1, "name": "Ada", "email": "a@example.org"}
    records = [record("users", "user.created", 1, USER, created)]
    for version in range(2, times + 2):
        data: dict[str, object] = {"version": version, "name": "Ada"}
        records.append(record("users", "user.renamed", version, USER, data))
    erased: dict[str, object] = {"version": times + 2}
    return [*records, record("users", "user.erased", times + 2, USER, erased)]


async def test_the_erasure_of_a_long_history_is_written_in_parts() -> None:
    setup = Setup(renamed_often(5 * MAX_WRITE_ITEMS))
    await setup.run()
    setup.check()


async def test_a_failure_between_two_parts_of_an_event_loses_nothing() -> None:
    records = renamed_often(5 * MAX_WRITE_ITEMS)
    complete = Setup(records)
    await complete.run()
    for failing in range(len(complete.store.writes) - 6, len(complete.store.writes)):
        setup = Setup(records)
        setup.store.failing_write = failing
        try:
            await setup.run()
        except ConnectionError:
            await setup.run()
        assert setup.store.failing_write is None
        setup.check()


async def test_a_product_with_thousands_of_prefixes_is_written_in_parts() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [letters[n % 26] + letters[n // 26 % 26] + f"{n:02}"[:2] for n in range(1000)]
    price = {"amount": 1, "currency": "EUR"}
    data = {
        "version": 1,
        "name": "A",
        "description": " ".join(words),
        "price": price,
        "stock": 1,
    }
    retired: dict[str, object] = {"version": 2}
    records = [record("products", "product.added", 1, USER, data)]
    setup = Setup(records)
    await setup.run()
    setup.check()
    assert len(setup.store.writes) > 1
    records.append(record("products", "product.retired", 2, USER, retired))
    await setup.run()
    setup.check()
    assert len(setup.store.writes) > 3


async def test_a_batch_from_kafka_is_written_in_parts_with_their_offsets() -> None:
    setup = Setup([large_order(position) for position in range(1, 21)])
    state = await setup.projection.load(setup.records)
    offsets = list(range(100, 120))
    await setup.projection.apply(state, setup.records, offsets, trusted=False)
    checkpoint = decode_checkpoint(setup.store.stored[setup.shard])
    assert checkpoint is not None
    assert 1 <= checkpoint.position < 20
    assert checkpoint.offset == 99 + checkpoint.position
