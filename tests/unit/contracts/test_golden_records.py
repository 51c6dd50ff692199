"""Every published event can still be folded, with the same result."""

import json
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from projector.fold import fold
from projector.store import decode_state, state_keys
from projector.views.registry import VIEWS_BY_TOPIC
from projector.views.view import View
from shared.contracts.events import EVENTS
from shared.contracts.records import Record, to_headers
from shared.contracts.shards import TOPICS
from shared.contracts.views import document_key, history_key, unpack_document
from tests.golden.records import FOLDER, GoldenRecord, golden_records
from tests.support.expected_views import Content

STORIES = [*TOPICS, "users_erased", "orders_erased", "orders_paid"]


def story(name: str) -> list[GoldenRecord]:
    return golden_records(name.partition("_")[0], name)


def meanings(views: Sequence[View], records: list[Record]) -> list[dict[str, Any]]:
    """The document and the history item after each record, folded by the projector's own code."""
    content, stored, found = Content(), b"", []
    for record in records:
        values = [content.values.get(key) for key in state_keys(views, record.shard, [record])]
        state = decode_state(views, [record], stored, values)
        writes = fold(views, state, [record], -1)
        content.apply(writes)
        stored = writes.checkpoint.encode()
        found.append(meaning(content, record))
    return found


def meaning(content: Content, record: Record) -> dict[str, Any]:
    document = content.values.get(document_key(record.shard, record.subject))
    version = orjson.loads(record.data)["version"]
    item = content.values.get(history_key(record.shard, record.subject, version))
    return {
        "type": record.type,
        "document": document and orjson.loads(unpack_document(document)[3]),
        "history": item and orjson.loads(item),
    }


@pytest.mark.parametrize("name", STORIES)
def test_a_published_story_keeps_its_meaning(name: str) -> None:
    records = story(name)
    kept = json.loads((FOLDER / name / "meaning.json").read_text())
    views = VIEWS_BY_TOPIC[records[0].topic]
    assert meanings(views, [record.event() for record in records]) == kept


def test_every_event_type_has_a_golden_record() -> None:
    recorded = {record.event().type for name in STORIES for record in story(name)}
    assert recorded == set(EVENTS)


def test_an_erased_users_fields_are_null_in_republished_events() -> None:
    """The records are of a release in which these fields alone were personal."""
    personal = {"name", "email", "customer_name", "shipping_address"}
    for name in ("users_erased", "orders_erased"):
        for record in story(name):
            data = orjson.loads(record.value)
            assert all(data[field] is None for field in personal & data.keys())


@pytest.mark.parametrize("name", STORIES)
def test_the_relay_would_publish_the_same_headers_today(name: str) -> None:
    for record in story(name):
        assert to_headers(record.event()) == list(record.headers)
