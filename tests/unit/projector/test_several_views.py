"""Two views of one topic: one write, separate keys, no event type omitted."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args, get_type_hints

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from projector.metrics import Metrics
from projector.projection import Projection, UnfoldableRecords
from projector.views.orders import ORDERS
from projector.views.registry import VIEWS, views_by_topic
from projector.views.view import CannotFold, View
from shared.contracts.events import OrderEvent, OrderPlaced
from shared.contracts.views import (
    ParkedEntry,
    customer_key,
    dashboard_key,
    decode_parked,
    document_key,
    parked_key,
    view_key,
)
from tests.projector.memory_store import MemoryStore
from tests.projector.random_log import RandomLog
from tests.support.expected_views import Content, differences, expected_content

SHARD = "orders.4"


def project(document: Mapping[str, Any] | None, event: OrderEvent, at: str) -> dict[str, Any]:
    """How many events each order has, and its customer."""
    customer = event.customer_id if isinstance(event, OrderPlaced) else (document or {})["customer"]
    return {"customer": customer, "events": event.version, "version": event.version}


def count(part: dict[str, int], before: object, after: object) -> None:
    part["events"] += 1


COUNTS = replace(
    ORDERS,
    name="order_counts",
    project=project,
    owner=lambda document: document["customer"],
    lists=lambda shard, document: [customer_key(shard, document["customer"])],
    listed_by=("customer",),
    empty_part=lambda: {"events": 0},
    count=count,
)
BOTH = (ORDERS, COUNTS)


def split(content: Content) -> tuple[Content, Content]:
    """The keys of the primary view, and those of the other one."""
    primary, other = Content(), Content()
    for key, value in content.values.items():
        (other if ":view:" in key else primary).values[key] = value
    for key, ids in content.members.items():
        (other if ":view:" in key else primary).members[key] = ids
    return primary, other


async def apply(records: list[Any], size: int, views: tuple[View, ...], store: MemoryStore) -> None:
    store.stored[SHARD] = b"0 -1 - 0"
    projection = Projection(SHARD, {1: views}, store, Metrics(CollectorRegistry()))
    for start in range(0, len(records), size):
        batch = records[start : start + size]
        state = await projection.load(batch)
        assert await projection.apply(state, batch, [0] * len(batch), trusted=False)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 80))
def test_the_primary_view_is_the_same_with_and_without_another_one(seed: int, size: int) -> None:
    records, store = RandomLog(SHARD, seed).take(80), MemoryStore()
    asyncio.run(apply(records, size, BOTH, store))
    primary, other = split(store.content(SHARD))
    assert differences(expected_content(SHARD, records), primary) == []
    assert differences(split(expected_content(SHARD, records, BOTH))[1], other) == []


async def test_the_other_view_has_keys_of_its_own_in_the_same_shard() -> None:
    records, store = RandomLog(SHARD, 3).take(40), MemoryStore()
    await apply(records, 40, BOTH, store)
    content, first = store.content(SHARD), records[0]
    key = view_key("order_counts", document_key(SHARD, first.subject))
    assert key == f"{{{SHARD}}}:view:order_counts:document:{first.subject}"
    events = sum(record.subject == first.subject for record in records)
    assert orjson.loads(content.values[key].partition(b"\n")[2])["events"] == events
    assert content.values[view_key("order_counts", dashboard_key(SHARD))] == b'{"events":40}'
    customer = orjson.loads(first.data)["customer_id"]
    listed = content.members[view_key("order_counts", customer_key(SHARD, customer))]
    assert first.subject in listed


async def test_all_views_of_a_batch_are_in_one_write() -> None:
    class CountingStore(MemoryStore):
        loads = writes = 0

        async def load(self, *arguments: Any) -> Any:
            self.loads += 1
            return await super().load(*arguments)

        async def write(self, *arguments: Any) -> bool:
            self.writes += 1
            return await super().write(*arguments)

    store = CountingStore()
    await apply(RandomLog(SHARD, 3).take(40), 40, BOTH, store)
    assert (store.loads, store.writes) == (1, 1)


async def test_an_event_that_one_view_cannot_fold_is_parked_in_all() -> None:
    def fails_at_version_2(document: Any, event: OrderEvent, at: str) -> dict[str, Any]:
        if event.version == 2:
            raise CannotFold("simulated failure")
        return project(document, event, at)

    broken = (ORDERS, replace(COUNTS, project=fails_at_version_2))
    records = RandomLog(SHARD, 3).take(40)
    poison = next(r for r in records if orjson.loads(r.data)["version"] == 2)
    records = records[: poison.position]
    store = MemoryStore()
    await apply(records[:-1], 40, broken, store)
    before = split(store.content(SHARD))[0].values[document_key(SHARD, poison.subject)]
    projection = Projection(SHARD, {1: broken}, store, Metrics(CollectorRegistry()))
    state = await projection.load(records[-1:])
    with pytest.raises(UnfoldableRecords):
        await projection.apply(state, records[-1:], [0], trusted=False)
    assert await projection.apply(state, records[-1:], [0], trusted=True)
    values = store.content(SHARD).values
    assert values[document_key(SHARD, poison.subject)] == before
    assert decode_parked(values[parked_key(SHARD)]) == {
        poison.subject: ParkedEntry(poison.position, 1, poison.type, "CannotFold", poison.time)
    }


def test_registered_views_are_grouped_by_topic_with_the_primary_one_first() -> None:
    assert views_by_topic((COUNTS, *VIEWS))["orders"] == (ORDERS, COUNTS)


def test_two_views_of_one_name_are_rejected() -> None:
    with pytest.raises(ValueError, match="two views are named orders"):
        views_by_topic((*VIEWS, replace(COUNTS, name="orders")))


def test_a_topic_without_a_primary_view_is_rejected() -> None:
    with pytest.raises(ValueError, match="no primary view: orders"):
        views_by_topic((*(view for view in VIEWS if view is not ORDERS), COUNTS))


def test_a_view_that_misses_an_event_type_is_rejected() -> None:
    events = {type: event for type, event in ORDERS.events.items() if type != "order.shipped"}
    with pytest.raises(ValueError, match=r"order_counts misses order\.shipped"):
        views_by_topic((*VIEWS, replace(COUNTS, events=events)))


@pytest.mark.parametrize("view", [*VIEWS, COUNTS], ids=lambda view: view.name)
def test_a_view_projects_the_event_types_that_it_declares(view: View) -> None:
    """`project` matches over this union, and the type check rejects a missing case."""
    union = get_type_hints(view.project)["event"]
    assert set(view.events.values()) == set(get_args(union))
