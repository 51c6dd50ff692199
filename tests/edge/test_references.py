"""What the server accepts, two other parsers accept with the same meaning: h11 and llhttp."""

from dataclasses import dataclass

import h11
import httptools
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.http.framing import BodyTooLarge, body_of, find_head, parse_head
from shared.http.problems import Problem
from tests.edge.corpus import CASES

Fields = list[tuple[bytes, bytes]]


@dataclass
class Parsed:
    method: bytes
    fields: Fields
    body: bytes


def by_tandem(sent: bytes) -> Parsed | None:
    """None if it is rejected or incomplete."""
    try:
        end = find_head(sent, 0)
        if end < 0:
            return None
        head = parse_head(sent[:end])
        body = body_of(head, 1 << 20)
        if body.feed(sent[end + 4 :]) is None:
            return None
    except (Problem, BodyTooLarge):
        return None
    return Parsed(head.method.encode(), list(head.headers.lines), bytes(body.content))


def by_h11(sent: bytes) -> Parsed | None:
    """None for trailers that h11 alone rejects; Tandem discards them."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(sent)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    body = bytearray()
    try:
        while isinstance(event := connection.next_event(), h11.Data):
            body += event.data
    except h11.RemoteProtocolError as error:
        if "Transfer-Encoding" in str(error) or "Content-Length" in str(error):
            return None  # in a trailer
        raise
    assert isinstance(event, h11.EndOfMessage)
    return Parsed(request.method, list(request.headers), bytes(body))


class _Callbacks:
    def __init__(self) -> None:
        self.fields: Fields = []
        self.body = bytearray()
        self.method = b""
        self.in_head, self.complete = True, False
        self.parser = httptools.HttpRequestParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.in_head:
            self.fields.append((name.lower(), value.strip(b" \t")))  # RFC 9110, 5.5

    def on_headers_complete(self) -> None:
        if self.in_head:
            self.method = self.parser.get_method()
        self.in_head = False

    def on_body(self, data: bytes) -> None:
        if not self.complete:
            self.body += data

    def on_message_complete(self) -> None:
        self.complete = True


def by_llhttp(sent: bytes) -> Parsed | None:
    """None for what llhttp alone rejects, and for an upgrade, whose body it skips."""
    callbacks = _Callbacks()
    try:
        callbacks.parser.feed_data(sent)
    except (httptools.HttpParserUpgrade, httptools.HttpParserInvalidMethodError):
        return None
    except httptools.HttpParserError:
        if not callbacks.complete:
            return None  # stricter than Tandem about trailers and spaces in chunk extensions
    assert callbacks.complete  # an error may follow
    return Parsed(callbacks.method, callbacks.fields, bytes(callbacks.body))


def check_against_references(sent: bytes) -> None:
    mine = by_tandem(sent)
    if mine is None:
        return
    for reference in (by_h11(sent), by_llhttp(sent)):
        assert reference is None or reference == mine


mutations = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.sampled_from(
            [
                *(b"", b" ", b"\t", b"\r", b"\n", b"\r\n", b"\0", b"\x0b", b"\x80"),
                *(b":", b",", b";", b"0", b"5", b"chunked"),
                *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n"),
            ]
        ),
        st.integers(0, 3),
    ),
    max_size=3,
)


@given(case=st.sampled_from(CASES), mutations=mutations)
@settings(max_examples=1500, deadline=None)
def test_a_request_means_the_same_to_other_parsers(
    case: object, mutations: list[tuple[int, bytes, int]]
) -> None:
    sent = case.sent  # type: ignore[attr-defined]
    for at, inserted, removed in mutations:
        at %= len(sent) + 1
        sent = sent[:at] + inserted + sent[at + removed :]
    check_against_references(sent)


def test_every_accepted_case_means_the_same_to_other_parsers() -> None:
    accepted = [case for case in CASES if by_tandem(case.sent) is not None]
    assert len(accepted) > 20
    for case in accepted:
        check_against_references(case.sent)
