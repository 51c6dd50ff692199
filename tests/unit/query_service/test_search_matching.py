"""Which products match a search."""

import orjson
import pytest

from query_service.search import matches
from shared.contracts.words import words_of


@pytest.mark.parametrize(
    ("q", "found"),
    [("oak", True), ("oa ta", True), ("table", True), ("tables", False), ("oak chair", False)],
)
def test_each_word_is_a_prefix_of_a_word(q: str, found: bool) -> None:
    body = orjson.dumps({"name": "Table", "description": "Solid Oak", "status": "active"})
    assert matches(body, words_of(q)) is found


def test_a_retired_product_does_not_match() -> None:
    body = orjson.dumps({"name": "Table", "description": "", "status": "retired"})
    assert not matches(body, ["table"])
