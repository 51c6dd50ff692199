"""How a request's headers are read."""

import pytest

from shared.http.headers import Headers
from shared.http.problems import Problem


def test_a_header_is_found_by_its_lower_case_name() -> None:
    headers = Headers([(b"if-match", b'"7"')])
    assert headers.single(b"if-match") == '"7"'
    assert headers.single(b"prefer") is None


def test_bytes_beyond_ascii_are_latin_1() -> None:
    assert Headers([(b"prefer", b"\xe9")]).single(b"prefer") == "é"


def test_a_single_valued_header_sent_twice_is_malformed() -> None:
    headers = Headers([(b"if-match", b'"7"'), (b"if-match", b'"7"')])
    with pytest.raises(Problem) as caught:
        headers.single(b"if-match")
    assert caught.value.name == "malformed-request"


def test_the_lines_of_a_list_are_joined_by_commas() -> None:
    headers = Headers([(b"consistency-token", b"a"), (b"x", b"y"), (b"consistency-token", b"b,c")])
    assert headers.joined(b"consistency-token") == "a, b,c"
    assert headers.joined(b"accept") is None
