"""Parked aggregates: erasures apply to them, refolding replays them, damaged documents return."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from projector import fold
from projector.metrics import Metrics
from projector.shard import Arrival, Observation, Shard
from projector.views.registry import VIEWS_BY_TOPIC
from projector.views.view import View
from shared.contracts.records import Record
from shared.contracts.shards import TOPICS, split_shard
from shared.contracts.views import (
    ParkedEntry,
    decode_checkpoint,
    decode_parked,
    document_key,
    history_key,
    parked_key,
)
from tests.projector.memory_log import MemoryLog
from tests.projector.memory_store import MemoryStore
from tests.projector.random_log import RandomLog
from tests.support.expected_views import differences, expected_content

SHARDS = st.sampled_from([f"{topic}.4" for topic in TOPICS])


class Setup:
    """A shard whose event log can contain types that its projector does not know."""

    def __init__(self, shard: str, records: Sequence[Record], *unknown: str) -> None:
        self.name = shard
        self.records = list(records)
        self.store = MemoryStore()
        self.store.stored[shard] = b"0 -1 - 0"
        self.log = MemoryLog(self.records)
        self.shard = self.new_shard(*unknown)

    def views(self, *unknown: str) -> list[View]:
        views = VIEWS_BY_TOPIC[split_shard(self.name)[0]]
        return [
            replace(view, events={t: e for t, e in view.events.items() if t not in unknown})
            for view in views
        ]

    def new_shard(self, *unknown: str) -> Shard:
        return Shard(
            self.name,
            {1: self.views(*unknown)},
            self.store,
            self.log,
            Metrics(CollectorRegistry()),
            lambda _, __: None,
            asyncio.Semaphore(1),
        )

    @property
    def values(self) -> dict[str, bytes]:
        return self.store.content(self.name).values

    @property
    def parked(self) -> dict[str, ParkedEntry]:
        return decode_parked(self.values.get(parked_key(self.name)))

    async def catch_up(self) -> None:
        self.shard.start_catch_up("test")
        await self.settle()

    async def retry(self) -> None:
        """Another projector acquires the shard, which knows all types."""
        self.shard = self.new_shard()
        self.shard.acquire(self.store.stored[self.name], None)
        await self.settle()

    async def settle(self) -> None:
        for _ in range(20_000):
            await asyncio.sleep(0)
            if self.shard._task is None and self.shard._retrying is None:
                return
        raise TimeoutError

    def check(self) -> None:
        """The views are the fold of the event log, and nothing is parked."""
        assert self.parked == {}
        content = self.store.content(self.name)
        assert differences(expected_content(self.name, self.records), content) == []


@settings(deadline=None, max_examples=15)
@given(SHARDS, st.integers(0, 10**6), st.data())
async def test_a_projector_that_knows_the_type_replays_what_was_parked(
    shard: str, seed: int, data: st.DataObject
) -> None:
    records = RandomLog(shard, seed).take(150)
    types = sorted({record.type for record in records})
    setup = Setup(shard, records, data.draw(st.sampled_from(types)))
    await setup.catch_up()
    position = decode_checkpoint(setup.store.stored[shard])
    assert position is not None
    assert position.position == 150
    await setup.retry()
    setup.check()


def of_aggregate(records: Sequence[Record], type: str) -> tuple[str, list[Record]]:
    """The first aggregate with an event of this type after its first, and its records."""
    id = next(record.subject for record in records if record.type == type)
    return id, [record for record in records if record.subject == id]


async def test_erasing_a_parked_user_deletes_everything() -> None:
    records = RandomLog("users.4", 5).take(300)
    erased = {record.subject for record in records if record.type == "user.erased"}
    setup = Setup("users.4", records, "user.renamed")
    await setup.catch_up()
    parked = {r.subject for r in records if r.type == "user.renamed"}
    assert parked & erased
    for id in erased:
        assert not [key for key in setup.values if id in key]
        assert id not in setup.parked
    assert set(setup.parked) == parked - erased


async def test_anonymizing_a_parked_order_removes_its_personal_data_and_keeps_it_parked() -> None:
    records = RandomLog("orders.4", 5).take(400)
    anonymized = {r.subject for r in records if r.type == "order.anonymized"}
    shipped = {r.subject for r in records if r.type == "order.shipped"}
    id = min(anonymized & shipped)
    setup = Setup("orders.4", records, "order.shipped")
    await setup.catch_up()
    assert id in setup.parked
    stored = setup.values[document_key("orders.4", id)]
    document = orjson.loads(stored.partition(b"\n")[2])
    assert (document["customer_name"], document["shipping_address"]) == (None, None)
    item = orjson.loads(setup.values[history_key("orders.4", id, 1)])
    assert item["data"]["customer_name"] is None
    assert document["version"] == 1
    await setup.retry()
    setup.check()


@pytest.mark.parametrize("damage", [None, b"x", b"1 2 -\n{", b"1 2 -\n[]"])
async def test_a_damaged_document_is_folded_again_before_its_next_event(
    damage: bytes | None,
) -> None:
    records = RandomLog("orders.4", 6).take(200)
    setup = Setup("orders.4", records)
    first = next(i for i, r in enumerate(records) if r.type != "order.placed")
    victim = records[first].subject
    await setup.shard.receive([Arrival(r.position, r) for r in records[:first]])
    key = document_key("orders.4", victim)
    if damage is None:
        del setup.values[key]
    else:
        setup.values[key] = damage
    await setup.shard.receive([Arrival(r.position, r) for r in records[first:]])
    await setup.settle()
    setup.check()


async def test_a_known_damaged_document_is_marked_while_the_event_log_is_unavailable() -> None:
    records = RandomLog("orders.4", 6).take(200)
    setup = Setup("orders.4", records)
    first = next(i for i, r in enumerate(records) if r.type != "order.placed")
    await setup.shard.receive([Arrival(r.position, r) for r in records[:first]])
    victim = records[first].subject
    setup.values[document_key("orders.4", victim)] = b"x"
    setup.log.unavailable = True
    await setup.shard.receive([Arrival(r.position, r) for r in records[first:]])
    await setup.settle()
    assert setup.parked == {victim: ParkedEntry(first, 0, "", "DamagedDocument", "")}
    assert document_key("orders.4", victim) not in setup.values
    setup.log.unavailable = False
    await setup.catch_up()
    setup.check()


async def test_an_event_without_earlier_ones_is_poison_and_not_damage() -> None:
    records = RandomLog("orders.4", 6).take(20)
    data = orjson.dumps({"id": "0" * 36, "version": 2})
    id = "019cb1a5-02f1-7e4b-b5d0-93c4a1f08004"
    data = orjson.dumps({"id": id, "version": 2})
    records.append(records[-1]._replace(position=21, subject=id, type="order.delivered", data=data))
    setup = Setup("orders.4", records)
    await setup.catch_up()
    assert setup.parked == {
        id: ParkedEntry(21, 1, "order.delivered", "CannotFold", records[-1].time)
    }
    await setup.retry()
    assert set(setup.parked) == {id}


async def test_a_retry_that_changes_nothing_writes_nothing() -> None:
    setup = Setup("orders.4", RandomLog("orders.4", 5).take(100), "order.shipped")
    await setup.catch_up()
    stored = setup.store.stored["orders.4"]
    setup.shard = setup.new_shard("order.shipped")
    setup.shard.acquire(stored, None)
    await setup.settle()
    assert setup.store.stored["orders.4"] == stored


async def test_a_retry_leaves_a_new_mark_and_the_position() -> None:
    setup = Setup("orders.4", RandomLog("orders.4", 5).take(100), "order.shipped")
    await setup.catch_up()
    before = decode_checkpoint(setup.store.stored["orders.4"])
    await setup.retry()
    after = decode_checkpoint(setup.store.stored["orders.4"])
    assert before is not None
    assert after is not None
    assert (before.mark, after.position) == ("", before.position)
    assert after.mark


async def test_more_events_than_one_step_are_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold, "MAX_REFOLDED_ROWS", 2)
    setup = Setup("products.4", RandomLog("products.4", 5).take(300), "product.reserved")
    await setup.catch_up()
    assert max(entry.events for entry in setup.parked.values()) > 6
    await setup.retry()
    setup.check()


async def test_a_full_map_of_parked_aggregates_halts_the_shard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fold, "MAX_PARKED", 3)
    records = RandomLog("orders.4", 5).take(200)
    setup = Setup("orders.4", records, "order.shipped")
    await setup.catch_up()
    assert setup.shard.parked_full
    assert len(setup.parked) == 3
    checkpoint = decode_checkpoint(setup.store.stored["orders.4"])
    assert checkpoint is not None
    assert checkpoint.position < 200
    await setup.retry()
    stored = setup.store.stored["orders.4"]
    setup.shard.poll(Observation(stored, checkpoint.position, records_pending=False), 200, 0)
    setup.shard.poll(Observation(stored, checkpoint.position, records_pending=False), 200, 0)
    await setup.settle()
    setup.check()
