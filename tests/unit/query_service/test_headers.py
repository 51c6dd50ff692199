"""Request headers of queries."""

import time

import pytest

from query_service.consistency import ConsistencyRequirement, merged_token, wait_seconds
from query_service.http.responses import etag_matches


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        *((None, 2), ("", 2), ("wait=5", 5), ("wait=0", 0), ("wait=30", 30), ("wait=31", 30)),
        *(("wait=" + "9" * 400, 30), ("WAIT=7", 7), ("wait = 7", 7), ('wait="7"', 7)),
        *(("respond-async, wait=9", 9), ("respond-async,wait=9;a=b , x", 9), ("wait=9;x", 9)),
        *(("wait=1, wait=9", 1), ("wait", 2), ("wait=", 2), ("wait=-1", 2), ("wait=1.5", 2)),
        *(("wait=x, wait=9", 2), ("await=9", 2), ("x=wait=9", 2), ('a="wait=9", wait=4', 4)),
        *(('a="x, wait=9"', 2), ("wait=٣", 2), (",,wait=3", 3), ("return=minimal; wait=9", 2)),
    ],
)
def test_the_wait_is_parsed_according_to_rfc_7240(prefer: str | None, seconds: int) -> None:
    assert wait_seconds(prefer) == seconds


@pytest.mark.parametrize(
    ("if_none_match", "expected"),
    [
        *(('"3"', True), ('W/"3"', True), ('"2", "3"', True), ('"2" ,W/"3","4"', True)),
        *(("*", True), (" * ", True), ("3", False), ('"33"', False), ('"2"', False), ("", False)),
        *(('"2"3"', False), ('"a, 3"', False), ('w/"4"', False)),
    ],
)
def test_entity_tags_are_compared_weakly(if_none_match: str, expected: bool) -> None:
    assert etag_matches(if_none_match, '"3"') is expected


def test_a_token_covers_the_requests_token_and_the_positions_read() -> None:
    requirement = ConsistencyRequirement({"users.1": 5, "orders.2": 7}, 0.0)
    assert (
        merged_token(requirement, {"users.1": 9, "orders.3": 1})
        == "orders.2:7;orders.3:1;users.1:9"
    )
    assert merged_token(requirement, {"users.1": 4}) == "orders.2:7;users.1:5"
    assert merged_token(requirement, {}) == "orders.2:7;users.1:5"
    assert merged_token(None, {"users.1": 4}) == "users.1:4"


@pytest.mark.parametrize(
    "prefer",
    [
        "a" * 20_000 + '"',
        '"' * 20_001,
        '"' + "\\" * 20_001,
        '"' + '\\"' * 20_000,
        '"a' + " " * 20_000 + '"' + " " * 20_000,
        "wait" + " " * 20_000 + "x",
        "a=" + '"x" ' * 5_000,
        ";" * 20_000 + '"',
        ("a;" + '"' + "\\") * 5_000,
    ],
)
def test_a_preference_is_parsed_in_linear_time(prefer: str) -> None:
    def cpu_s(text: str) -> float:
        started = time.thread_time()
        assert wait_seconds(text) in (2, 7)
        return time.thread_time() - started

    assert min(cpu_s(prefer + ", wait=7") for _ in range(3)) < 0.02
