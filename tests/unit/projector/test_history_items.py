"""A history item is the same, sliced from an event's bytes or encoded from its fields."""

from typing import Any

import orjson
import pytest

from projector.history import encode_item, slice_item
from shared.contracts.records import Record
from tests.projector.random_log import RandomLog

ID = "0198c0de-0000-7000-8000-000000000123"


def _record(data: bytes, **changes: Any) -> Record:
    record = Record("users.0", 7, ID, "user.renamed", ID, 'a "b"', "2026-11-21", None, data)
    return record._replace(**changes)


@pytest.mark.parametrize("topic", ["users", "products", "orders"])
def test_sliced_and_encoded_items_are_equal(topic: str) -> None:
    sliced = 0
    for record in RandomLog(f"{topic}.4", 3).take(200):
        data = orjson.loads(record.data)
        item = slice_item(record, data["version"])
        sliced += item is not None
        encoded = encode_item(record, data["version"], data)
        assert item is None or orjson.loads(item) == orjson.loads(encoded)
    assert sliced == 200


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (f'{{"id":"{ID}","version":3}}', {}),
        (f'{{"id":"{ID}","version":3,"name":"Ada","new":[1]}}', {"name": "Ada", "new": [1]}),
        (f'{{"id":"{ID}","version":30}}', None),
        (f'{{"version":3,"id":"{ID}"}}', None),
        (f'{{ "id" : "{ID}", "version" : 3 }}', None),
        (f'{{"id":"{ID}","version":3,"new":NaN}}', None),
        (f'{{"id":"{ID}","version":3,"name":"Infinity"}}', None),
    ],
)
def test_a_value_in_another_form_is_not_sliced(data: str, found: Any) -> None:
    item = slice_item(_record(data.encode()), 3)
    if found is None:
        assert item is None
    else:
        assert item is not None
        expected = {"type": "user.renamed", "at": "2026-11-21", "by": 'a "b"', "version": 3}
        assert orjson.loads(item) == {**expected, "data": found}


def test_an_event_without_an_actor_has_an_item_without_one() -> None:
    data = f'{{"id":"{ID}","version":3}}'.encode()
    item = slice_item(_record(data, actor=None), 3)
    assert item is not None
    assert orjson.loads(item)["by"] is None
