"""How a request's headers are read."""

import pytest

from shared.http.messages import Request
from shared.http.problems import Problem


def test_a_header_is_found_by_its_lower_case_name() -> None:
    request = Request("GET", "/", headers=[(b"if-match", b'"7"')])
    assert request.header(b"if-match") == '"7"'
    assert request.header(b"prefer") is None


def test_bytes_beyond_ascii_are_latin_1() -> None:
    assert Request("GET", "/", headers=[(b"prefer", b"\xe9")]).header(b"prefer") == "é"


def test_a_single_valued_header_sent_twice_is_malformed() -> None:
    request = Request("GET", "/", headers=[(b"if-match", b'"7"'), (b"if-match", b'"7"')])
    with pytest.raises(Problem) as caught:
        request.header(b"if-match")
    assert caught.value.name == "malformed-request"


def test_the_lines_of_a_list_are_joined_by_commas() -> None:
    headers = [(b"consistency-token", b"a"), (b"x", b"y"), (b"consistency-token", b"b,c")]
    request = Request("GET", "/", headers=headers)
    assert request.headers_all(b"consistency-token") == "a, b,c"
    assert request.headers_all(b"accept") is None
