"""Consistency tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.shards import all_shards
from shared.contracts.tokens import MalformedToken, format_token, parse_token

positions = st.dictionaries(st.sampled_from(all_shards(12)), st.integers(0, 10**17), min_size=1)


@given(positions)
def test_a_token_is_parsed_to_its_positions(token: dict[str, int]) -> None:
    assert parse_token(format_token(token), 12) == token


@given(positions, positions)
def test_several_tokens_cover_the_highest_position_of_each_shard(
    one: dict[str, int], other: dict[str, int]
) -> None:
    both = parse_token(f"{format_token(one)}, {format_token(other)}", 12)
    assert both == {s: max(one.get(s, 0), other.get(s, 0)) for s in {*one, *other}}


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "orders.1", "orders.1:", "orders.12:1", "shops.1:1", ",", " , "),
        *("orders.1:-1", "orders.01:1", "orders.1:01", "orders.1:1;;users.1:1", "orders.1:٣"),
        "orders.1:" + "9" * 19,
    ],
)
def test_anything_else_is_malformed(text: str) -> None:
    with pytest.raises(MalformedToken):
        parse_token(text, 12)


@pytest.mark.parametrize(
    "text", ["orders.1:1,", ",orders.1:1", " , orders.1:1\t,,", "orders.1:1 ,"]
)
def test_empty_elements_are_ignored(text: str) -> None:
    assert parse_token(text, 12) == {"orders.1": 1}
