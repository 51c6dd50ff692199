"""Views depend on the event log alone: not on batches, duplicates, or the time of an erasure."""

from collections.abc import Mapping, Sequence

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projector.fold import UnknownType, fold
from projector.store import decode_state, state_keys
from projector.views.registry import VIEWS_BY_TOPIC
from projector.views.view import CannotFold, View
from shared.contracts.dashboard_parts import DAYS_KEPT
from shared.contracts.events import EVENTS
from shared.contracts.records import Record
from shared.contracts.shards import TOPICS, split_shard
from shared.contracts.views import (
    MAX_PREFIX_LENGTH,
    dashboard_key,
    document_key,
    history_key,
    ids_key,
    prefix_key,
    status_key,
    unpack_document,
)
from tests.projector.random_log import RandomLog, erased
from tests.support.expected_views import Content, differences, expected_content

SHARDS = st.sampled_from([f"{topic}.4" for topic in TOPICS])
SEEDS = st.integers(0, 10**6)


def folded(
    shard: str, records: list[Record], sizes: list[int], views: Sequence[View] = ()
) -> Content:
    """The views after batches of these sizes, used in turn."""
    views = views or VIEWS_BY_TOPIC[split_shard(shard)[0]]
    content, stored = Content(), b""
    while records:
        sizes = [*sizes[1:], sizes[0]]
        batch, records = records[: sizes[0]], records[sizes[0] :]
        values = [content.values.get(key) for key in state_keys(views, shard, batch)]
        state = decode_state(views, batch, stored, values)
        writes = fold(views, state, batch, -1)
        content.apply(writes)
        content.apply(writes)  # idempotent
        stored = writes.checkpoint.encode()
    return content


@settings(deadline=None, max_examples=60)
@given(SHARDS, SEEDS, st.lists(st.integers(1, 60), min_size=1, max_size=6))
def test_any_batches_give_the_same_views(shard: str, seed: int, sizes: list[int]) -> None:
    records = RandomLog(shard, seed).take(200)
    assert differences(expected_content(shard, records), folded(shard, records, sizes)) == []


@settings(deadline=None, max_examples=30)
@given(SEEDS, st.integers(0, 150))
def test_no_personal_data_of_erased_customers_remains(seed: int, published_before: int) -> None:
    """The views are the same if an event was read before or after its customer's erasure."""
    records = RandomLog("orders.4", seed).take(150)
    anonymized = {r.subject for r in records if r.type == "order.anonymized"}
    late = [
        erased(r) if r.subject in anonymized and r.position > published_before else r
        for r in records
    ]
    never = [erased(r) if r.subject in anonymized else r for r in records]
    assert differences(folded("orders.4", never, [150]), folded("orders.4", late, [7])) == []


def record(type: str, version: int, fields: Mapping[str, object], at: str = "2026-03-01") -> Record:
    topic = EVENTS[type].topic if type in EVENTS else "orders"
    data = orjson.dumps({"id": ID, "version": version, **fields})
    time = f"{at}T10:00:00.000Z"
    return Record(f"{topic}.0", version, f"e{version}", type, ID, "me", time, None, data)


ID = "01890a5d-ac96-774b-bcce-b302099a8000"
EURO = {"amount": 500, "currency": "EUR"}
ADDED = {"name": "Crème brûlée", "description": "for 2", "price": EURO, "stock": 0}
PLACED = {
    "customer_id": "c",
    "customer_name": "Ada",
    "items": [{"product_id": "p", "name": "Tea", "quantity": 3, "unit_price": EURO}],
    "total": {"amount": 1500, "currency": "EUR"},
    "shipping_address": "Here 1",
}


NO_PAYMENTS = {"due": 0, "paid": 0, "overdue": 0, "refund_due": 0, "refunded": 0}


def views_of(*records: Record) -> Content:
    return folded(records[0].shard, list(records), [1])


def document(content: Content, shard: str) -> dict[str, object]:
    body = unpack_document(content.values[document_key(shard, ID)])[3]
    found: dict[str, object] = orjson.loads(body)
    return found


def part(content: Content, shard: str) -> dict[str, object]:
    found: dict[str, object] = orjson.loads(content.values[dashboard_key(shard)])
    return found


def test_a_placed_order_has_this_document() -> None:
    content = views_of(record("order.placed", 1, PLACED))
    stored = content.values[document_key("orders.0", ID)]
    assert stored.startswith(b"1 1 c\n{")
    order = document(content, "orders.0")
    assert list(order) == [
        "id", "customer_id", "customer_name", "status", "items", "item_count", "total",
        "shipping_address", "carrier", "tracking_number", "cancel_reason", "payment",
        "placed_at", "shipped_at", "delivered_at", "cancelled_at", "version", "updated_at",
    ]  # fmt: skip
    assert order["items"] == [
        {
            "product_id": "p",
            "name": "Tea",
            "quantity": 3,
            "unit_price": EURO,
            "subtotal": {"amount": 1500, "currency": "EUR"},
        }
    ]
    assert content.members[status_key("orders.0", "placed")] == {ID}


def test_a_cancelled_order_is_removed_from_the_revenue_and_its_day() -> None:
    placed = record("order.placed", 1, PLACED)
    assert part(views_of(placed), "orders.0") == {
        "statuses": {"placed": 1, "shipped": 0, "delivered": 0, "cancelled": 0},
        "payments": NO_PAYMENTS,
        "revenue": {"EUR": {"amount": 1500, "orders": 1}},
        "by_day": {"2026-03-01": {"orders": 1, "revenue": {"EUR": 1500}, "orders_in": {"EUR": 1}}},
        "latest_day": "2026-03-01",
    }
    cancelled = views_of(placed, record("order.cancelled", 2, {"reason": "no"}, "2026-03-02"))
    assert part(cancelled, "orders.0") == {
        "statuses": {"placed": 0, "shipped": 0, "delivered": 0, "cancelled": 1},
        "payments": NO_PAYMENTS,
        "revenue": {},
        "by_day": {},
        "empty_days": ["2026-03-01"],
        "latest_day": "2026-03-01",
    }
    assert status_key("orders.0", "placed") not in cancelled.members


def test_days_before_the_window_do_not_return() -> None:
    content = expected_content("orders.4", RandomLog("orders.4", 1).take(2000))
    found = part(content, "orders.4")
    days, latest = found["by_day"], found["latest_day"]
    assert isinstance(days, dict)
    assert isinstance(latest, str)
    assert max(days) <= latest
    assert 1 < len(days) <= DAYS_KEPT


def test_an_anonymized_order_keeps_everything_except_personal_data() -> None:
    content = views_of(record("order.placed", 1, PLACED), record("order.anonymized", 2, {}))
    order = document(content, "orders.0")
    assert (order["customer_name"], order["shipping_address"], order["version"]) == (None, None, 2)
    first = orjson.loads(content.values[history_key("orders.0", ID, 1)])
    assert first["data"] == PLACED | {"customer_name": None, "shipping_address": None}
    assert not [key for key, value in content.values.items() if b"Ada" in value]


def test_nothing_of_an_erased_user_remains() -> None:
    content = views_of(
        record("user.created", 1, {"name": "Ada", "email": "a@example.org"}),
        record("user.renamed", 2, {"name": "Ada L."}),
        record("user.erased", 3, {}),
    )
    assert content.values == {dashboard_key("users.0"): b'{"users":0}'}
    assert content.members == {}


def test_a_history_item_contains_actor_time_and_data() -> None:
    created = record("user.created", 1, {"name": "A", "email": "a@b.c", "extra": 1})
    item = orjson.loads(views_of(created).values[history_key("users.0", ID, 1)])
    assert item == {
        "type": "user.created",
        "at": "2026-03-01T10:00:00.000Z",
        "by": "me",
        "version": 1,
        "data": {"name": "A", "email": "a@b.c", "extra": 1},
    }


def test_active_products_are_listed_by_prefixes_of_their_words() -> None:
    content = views_of(record("product.added", 1, ADDED))
    expected = {"c", "cr", "cre", "crem", "b", "br", "bru", "brul", "f", "fo", "for", "2"}
    keys = {prefix_key("products.0", prefix) for prefix in expected}
    assert set(content.members) == {ids_key("products.0"), *keys}
    assert max(map(len, expected)) == MAX_PREFIX_LENGTH
    assert part(content, "products.0") == {"active": 1, "sold_out": 1}


def test_a_retired_product_is_kept_but_not_listed() -> None:
    content = views_of(record("product.added", 1, ADDED), record("product.retired", 2, {}))
    assert content.members == {}
    assert document(content, "products.0")["status"] == "retired"
    assert part(content, "products.0") == {"active": 0, "sold_out": 0}


@pytest.mark.parametrize(
    "records",
    [
        [record("order.shipped", 1, {"carrier": "c", "tracking_number": "t"})],
        [record("order.placed", 1, PLACED), record("order.delivered", 3, {})],
        [record("order.placed", 1, {"customer_id": "c"})],
    ],
)
def test_events_that_do_not_follow_raise(records: list[Record]) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        views_of(*records)
    assert isinstance(raised.value, ValueError | CannotFold)


def test_an_unknown_type_raises() -> None:
    with pytest.raises(UnknownType):
        views_of(record("order.painted", 1, {}))
