"""How a field can change its shape: old records are upcast to the current shape."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from projector.fold import fold
from projector.store import ShardState, decode_state, state_keys
from projector.views.orders import ORDERS
from projector.views.registry import VIEWS
from projector.views.view import View
from shared.contracts.records import Record
from shared.contracts.upcasting import UPCASTS
from shared.contracts.views import document_key, history_key, unpack_document
from tests.golden.records import golden_records


def as_it_was_before(record: Record) -> Record:
    """`order.placed` as an earlier release might have published it: other names, another form."""
    data = orjson.loads(record.data)
    data["address"] = data.pop("shipping_address")
    data["customer"] = {"id": data.pop("customer_id"), "name": data.pop("customer_name")}
    return record._replace(data=orjson.dumps(data))


def to_current_shape(data: dict[str, Any]) -> dict[str, Any]:
    """The upcast that the later release would register. Also accepts the current shape."""
    if "customer" not in data:
        return data
    kept = {name: value for name, value in data.items() if name not in ("customer", "address")}
    return kept | {
        "customer_id": data["customer"]["id"],
        "customer_name": data["customer"]["name"],
        "shipping_address": data["address"],
    }


WITH_UPCAST = replace(ORDERS, upcasts={"order.placed": to_current_shape})


def projected(view: View, record: Record) -> tuple[Any, Any]:
    """The document and the history item that the projector writes for a first record."""
    writes = fold((view,), nothing_yet(view, record), [record], 0)
    document = writes.values[document_key(record.shard, record.subject)]
    item = writes.values[history_key(record.shard, record.subject, 1)]
    assert document is not None
    assert item is not None
    return orjson.loads(unpack_document(document)[3]), orjson.loads(item)


def nothing_yet(view: View, record: Record) -> ShardState:
    keys = state_keys((view,), record.shard, [record])
    return decode_state((view,), [record], b"", [None] * len(keys))


@pytest.fixture(params=["orders", "orders_erased"])
def placed(request: pytest.FixtureRequest) -> Record:
    return golden_records("orders", request.param)[0].event()


def test_an_event_of_an_older_shape_is_projected_like_the_current_one(placed: Record) -> None:
    old = as_it_was_before(placed)
    assert projected(WITH_UPCAST, old) == projected(ORDERS, placed)


def test_an_upcast_does_not_change_an_event_of_the_current_shape(placed: Record) -> None:
    assert projected(WITH_UPCAST, placed) == projected(ORDERS, placed)


def test_without_its_upcast_an_old_event_would_be_parked(placed: Record) -> None:
    with pytest.raises(ValidationError):
        projected(ORDERS, as_it_was_before(placed))


def test_every_view_reads_through_the_registered_upcasts() -> None:
    assert all(view.upcasts is UPCASTS for view in VIEWS)
