"""Cursors belong to one list, and changed ones are detected."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from query_service.http.cursors import BadCursor, decode_cursor, encode_cursor


@given(st.text(), st.binary(min_size=1, max_size=40))
def test_a_cursor_is_decoded_to_the_last_item(list_key: str, last: bytes) -> None:
    assert decode_cursor(list_key, encode_cursor(list_key, last)) == last


@given(st.text(max_size=120))
def test_any_other_text_is_a_bad_cursor(text: str) -> None:
    with pytest.raises(BadCursor):
        decode_cursor("users", text)


def test_a_cursor_is_not_valid_for_another_list() -> None:
    with pytest.raises(BadCursor):
        decode_cursor("orders shipped", encode_cursor("orders placed", b"last"))


def test_a_cursor_needs_no_escaping_in_a_url() -> None:
    cursors = "".join(encode_cursor("users", bytes([i]) * 16) for i in range(256))
    assert set(cursors) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
