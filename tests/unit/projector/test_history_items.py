"""A history item says the same whether it is cut out of an event's bytes or made of its fields."""

from typing import Any

import orjson
import pytest

from projector.history import history_item, item_of_bytes
from shared.contracts.records import Record
from tests.projector.random_log import RandomLog

ID = "0198c0de-0000-7000-8000-000000000123"


def _record(data: bytes, **changes: Any) -> Record:
    record = Record("users.0", 7, ID, "user.renamed", ID, 'a "b"', "2026-11-21", None, data)
    return record._replace(**changes)


@pytest.mark.parametrize("topic", ["users", "products", "orders"])
def test_both_say_the_same_of_every_event(topic: str) -> None:
    cut = 0
    for record in RandomLog(f"{topic}.4", 3).take(200):
        data = orjson.loads(record.data)
        item = item_of_bytes(record, data["version"])
        cut += item is not None
        made = history_item(record, data["version"], data)
        assert item is None or orjson.loads(item) == orjson.loads(made)
    assert cut == 200


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
def test_what_is_written_otherwise_is_left_alone(data: str, found: Any) -> None:
    item = item_of_bytes(_record(data.encode()), 3)
    if found is None:
        assert item is None
    else:
        assert item is not None
        expected = {"type": "user.renamed", "at": "2026-11-21", "by": 'a "b"', "version": 3}
        assert orjson.loads(item) == {**expected, "data": found}


def test_nobody_did_what_has_no_actor() -> None:
    data = f'{{"id":"{ID}","version":3}}'.encode()
    item = item_of_bytes(_record(data, actor=None), 3)
    assert item is not None
    assert orjson.loads(item)["by"] is None
