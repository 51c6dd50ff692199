"""No bytes of one request become another request, however they are written and segmented."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.edge.bare_server import Recorder, Segments, bare_server
from tests.edge.corpus import CASES, Case

ALL = [pytest.param(case, id=case.name) for case in CASES]
REJECTED = [pytest.param(case, id=case.name) for case in CASES if case.statuses[-1] != 200]


def statuses(received: bytes) -> tuple[int, ...]:
    """Of all responses; a body is skipped, because it repeats that of its request."""
    found = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        found.append(int(head.removeprefix(b"HTTP/1.1 ")[:3]))
        length = re.search(rb"\r\ncontent-length: (\d+)", head)
        assert length is not None
        received = received[int(length[1]) :]
    return tuple(found)


async def check(case: Case, segments: list[bytes]) -> None:
    app = Recorder()
    received = await Segments(app).send(segments)
    assert statuses(received) == case.statuses
    assert tuple(handled.body for handled in app.handled) == case.bodies
    assert "/smuggled" not in [handled.path for handled in app.handled]


@pytest.mark.parametrize("case", ALL)
async def test_a_request_in_one_piece(case: Case) -> None:
    await check(case, [case.sent])


@pytest.mark.parametrize("case", ALL)
async def test_a_request_cut_at_every_byte(case: Case) -> None:
    for cut in range(1, len(case.sent)):
        await check(case, [case.sent[:cut], case.sent[cut:]])


@pytest.mark.parametrize("case", ALL)
async def test_a_request_byte_by_byte(case: Case) -> None:
    await check(case, [case.sent[at : at + 1] for at in range(len(case.sent))])


@pytest.mark.parametrize("case", REJECTED)
async def test_a_rejected_request_ends_its_connection(case: Case) -> None:
    async with bare_server() as server:
        received = await server.send(case.sent)  # returns when the server has closed
        assert statuses(received) == case.statuses
        assert b"application/problem+json" in received


tokens = st.text("abcXYZ0189-_", min_size=1, max_size=8).map(str.encode)
bodies = st.binary(max_size=300)


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, tuple[str, bytes]]:
    """A valid request, as bytes, and its path and body."""
    path, body = b"/" + draw(tokens), draw(bodies)
    fields = [b"Host: x"]
    fields += [b"X-%b: %b" % (draw(tokens), draw(tokens)) for _ in range(draw(st.integers(0, 3)))]
    if draw(st.booleans()):
        fields += [b"Connection: Upgrade", b"Upgrade: " + draw(tokens)]
    if draw(st.booleans()):
        fields.append(b"Transfer-Encoding: chunked")
        sent = b""
        at = 0
        while at < len(body):
            size = draw(st.integers(1, len(body) - at))
            extension = draw(st.sampled_from([b"", b";a=b", b';a="b c"']))
            sent += b"%x%b\r\n%b\r\n" % (size, extension, body[at : at + size])
            at += size
        trailer = draw(st.sampled_from([b"", b"Authorization: x\r\n", b"Host: y\r\nHost: z\r\n"]))
        sent += b"0\r\n" + trailer + b"\r\n"
    else:
        fields.append(b"Content-Length: %d" % len(body))
        sent = body
    draw(st.randoms()).shuffle(fields)
    head = b"POST %b HTTP/1.1\r\n%b\r\n\r\n" % (path, b"\r\n".join(fields))
    return head + sent, (path.decode(), body)


@given(
    pipeline=st.lists(requests(), min_size=1, max_size=5),
    last=st.sampled_from([case for case in CASES if case.statuses[-1] != 200]),
    cuts=st.lists(st.integers(1, 3000), max_size=12),
)
@settings(max_examples=200, deadline=None)
async def test_random_pipelines_in_random_segments(
    pipeline: list[tuple[bytes, tuple[str, bytes]]], last: Case, cuts: list[int]
) -> None:
    sent = b"".join(request for request, _ in pipeline) + last.sent
    edges = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    segments = [sent[start:end] for start, end in pairwise(edges)]
    app = Recorder()
    received = await Segments(app).send(segments)
    assert statuses(received) == (200,) * len(pipeline) + last.statuses
    handled = [(request.path, request.body) for request in app.handled]
    assert handled[: len(pipeline)] == [expected for _, expected in pipeline]
    assert len(handled) == len(pipeline) + len(last.bodies)
