"""A change of the fold gets a new shape: the digests of the folded golden event logs."""

import hashlib
import json
from typing import Final

import orjson
import pytest

from projector.fold import fold
from projector.store import decode_state, state_keys
from projector.views.registry import SHAPES
from tests.golden.records import FOLDER, golden_records
from tests.support.expected_views import Content

STORIES: Final = {
    "users": ("users", "users_erased"),
    "products": ("products",),
    "orders": ("orders", "orders_erased", "orders_paid"),
}
KNOWN = [(topic, shape) for topic, shapes in SHAPES.items() for shape in shapes]


def digest(topic: str, shape: int) -> str:
    """Of everything that the views of the shape contain after each event of the golden logs."""
    views = SHAPES[topic][shape]
    found = hashlib.sha256()
    for story in STORIES[topic]:
        content, stored = Content(), b""
        for golden in golden_records(topic, story):
            record = golden.event()
            values = [content.values.get(key) for key in state_keys(views, record.shard, [record])]
            state = decode_state(views, [record], stored, values)
            writes = fold(views, state, [record], -1)
            content.apply(writes)
            stored = writes.checkpoint.encode()
            members = {key: sorted(ids) for key, ids in content.members.items()}
            texts = {key: value.decode() for key, value in content.values.items()}
            found.update(orjson.dumps([texts, members], option=orjson.OPT_SORT_KEYS))
    return found.hexdigest()


@pytest.mark.parametrize(("topic", "shape"), KNOWN)
def test_the_fold_of_a_shape_does_not_change(topic: str, shape: int) -> None:
    """If it must change, add the changed views to SHAPES under the next number, with a digest."""
    kept = json.loads((FOLDER / "shapes.json").read_text())
    assert kept[topic].get(str(shape)) == digest(topic, shape)


def test_digests_of_unknown_shapes_are_not_kept() -> None:
    kept = json.loads((FOLDER / "shapes.json").read_text())
    assert {(topic, int(shape)) for topic, shapes in kept.items() for shape in shapes} == {*KNOWN}
