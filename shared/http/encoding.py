"""Responses as bytes of HTTP/1.1."""

import re
import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from shared.http.framing import RequestHead
from shared.http.messages import Response, ResponseHeaders

_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}
_WITHOUT_BODY: Final = frozenset([204, 304])
_TRACEPARENT: Final = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def encode_response(request: RequestHead, response: Response, *, closes: bool) -> bytes:
    """A complete response with its Content-Length; without the body for HEAD."""
    headers, body = response.headers, response.body
    if response.status not in _WITHOUT_BODY:
        headers = [*headers, (b"content-length", b"%d" % len(body))]
    head = encode_head(request, response.status, headers, closes=closes)
    return head if request.method == "HEAD" else head + body


def encode_head(
    request: RequestHead, status: int, headers: ResponseHeaders, *, closes: bool
) -> bytes:
    """The head of a response, which repeats the trace context of its request.

    `closes`: the connection ends after this response.
    """
    lines = [_date_line(int(time.time())), *map(b": ".join, headers)]
    if b"traceparent" in request.headers:
        lines += [
            b"traceparent: " + value
            for value in request.headers.values(b"traceparent")[:1]
            if _TRACEPARENT.fullmatch(value)
        ]
    if closes:
        lines.append(b"connection: close")
    elif request.minor_version == 0:
        lines.append(b"connection: keep-alive")
    count = len(lines) + 2
    head = _STATUS_LINES[status] + b"\r\n".join([*lines, b"\r\n"])
    if not head.count(b"\n") == head.count(b"\r") == count:
        raise ValueError("a header of the response contains a line break")
    return head


@lru_cache(maxsize=1)
def _date_line(second: int) -> bytes:
    """The time of the response (RFC 9110, 6.6.1), formatted once per second."""
    return b"date: " + formatdate(second, usegmt=True).encode()


def encode_chunk(data: bytes) -> bytes:
    """A part of a streamed body; its end if `data` is empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)
