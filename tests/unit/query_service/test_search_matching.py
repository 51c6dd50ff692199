"""Which products a search finds."""

import orjson
import pytest

from query_service.search import matches
from shared.contracts.words import words_of


@pytest.mark.parametrize(
    ("q", "found"),
    [("oak", True), ("oa ta", True), ("table", True), ("tables", False), ("oak chair", False)],
)
def test_each_word_begins_one_of_its_words(q: str, found: bool) -> None:
    body = orjson.dumps({"name": "Table", "description": "Solid Oak", "status": "active"})
    assert matches(body, words_of(q)) is found


def test_a_retired_product_is_not_found() -> None:
    body = orjson.dumps({"name": "Table", "description": "", "status": "retired"})
    assert not matches(body, ["table"])
