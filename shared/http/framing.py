"""The rules of an HTTP/1.1 request: the form of its head, and the end of its body (RFC 9112).

All rules that keep one request's bytes out of the next request are in this module. It works on
bytes and knows no connection. Input that does not match is rejected with a Problem, and the
connection ends, because the start of the next request is unknown. An `Upgrade` is ignored, and
trailer fields are checked and discarded.
"""

import re
from typing import Final
from urllib.parse import unquote

from shared.http.headers import Headers
from shared.http.problems import Problem

MAX_TARGET_BYTES: Final = 16 * 1024
"""Of the request line. The longest valid query (1,000 characters of `q`) takes 12 kB."""
MAX_FIELDS_BYTES: Final = 16 * 1024
"""Of all header fields together; likewise of the trailer fields and chunk lines of a body."""
MAX_FIELDS: Final = 100

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_REQUEST_LINE: Final = re.compile(rb"(%b{1,32}) ([!-~]+) HTTP/1\.([01])" % _TOKEN)
_NAME: Final = re.compile(rb"%b+" % _TOKEN)
_HOST: Final = re.compile(
    r"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]{0,5})?"
)
_ABSOLUTE: Final = re.compile(rb"(?i:https?)://([^/?#@]+)(/[^#]*)?(\?[^#]*)?")
_LENGTH: Final = re.compile(r"[0-9]{1,15}")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[\t -~\x80-\xff]*)?")
_TRAILER: Final = re.compile(rb"%b+:[\t -~\x80-\xff]*" % _TOKEN)
_CONTROLS: Final = re.compile(rb"(?<!\r)\n|\r(?=[^\n])|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_PERMITTED: Final = bytes([9, 10, 13, *range(32, 127), *range(128, 256)])
_END: Final = b"\r\n\r\n"

_MAX_KNOWN_NAMES: Final = 512
_known_names: dict[bytes, bytes] = {}
"""Names as they were sent, to lower case: a cache, because few names occur."""


class RequestHead:
    """A request without its body. `length` is that of the body, None if it comes in chunks.

    `path` is percent-decoded, except that `%2F` remains: it separates no segments.
    """

    __slots__ = (
        "expects_continue",
        "headers",
        "keep_alive",
        "length",
        "method",
        "minor_version",
        "path",
        "query_string",
    )

    def __init__(
        self,
        method: str,
        path: str,
        query_string: bytes = b"",
        headers: Headers | None = None,
        *,
        minor_version: int = 1,
    ) -> None:
        self.method = method
        self.path = path
        self.query_string = query_string
        self.headers = Headers() if headers is None else headers
        self.minor_version = minor_version
        self.keep_alive = minor_version == 1
        self.length: int | None = 0
        self.expects_continue = False


class BodyTooLarge(Exception):
    """The body is larger than its maximum; its end is unknown."""


def find_head(received: bytes, scanned: int) -> int:
    """The index at which the head ends (its blank line follows), or -1 if it is incomplete.

    `scanned` bytes were searched before. Raises 400, 414 and 431.
    """
    end = received.find(_END, max(0, scanned - 3))
    size = len(received) if end < 0 else end
    if size > MAX_TARGET_BYTES:
        line = received.find(b"\r\n", 0, size)
        if line < 0 or line > MAX_TARGET_BYTES:
            raise Problem("uri-too-long", f"a request line has at most {MAX_TARGET_BYTES} bytes")
        if size - line > MAX_FIELDS_BYTES:
            raise too_many_fields()
    if end < 0 and _CONTROLS.search(received, max(0, scanned - 1)):
        raise malformed("the head has a bare CR or LF, or a control character")
    return end


def parse_head(head: bytes) -> RequestHead:
    """The request that this head describes; `head` excludes the blank line. Raises 4xx and 501."""
    line, *lines = head.split(b"\r\n")
    if not head.count(b"\r") == head.count(b"\n") == len(lines) or head.translate(None, _PERMITTED):
        raise malformed("the head has a bare CR or LF, or a control character")
    if len(lines) > MAX_FIELDS:
        raise too_many_fields()
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise malformed("the request line is not HTTP/1.1")
    method, target, version = match.groups()
    path, query_string = _split_target(method, target)
    fields = []
    for field in lines:
        name, colon, value = field.partition(b":")
        lower = _known_names.get(name)
        if lower is None:
            lower = _lower_name(name)
        if not colon:
            raise malformed("a header field has no colon")
        fields.append((lower, value.strip(b" \t")))
    headers = Headers(fields)
    request = RequestHead(
        method.decode(), path, query_string, headers, minor_version=1 if version == b"1" else 0
    )
    _check_host(request)
    if b"content-length" in headers or b"transfer-encoding" in headers:
        _frame_body(request)
    if b"connection" in headers:
        _choose_persistence(request)
    if b"expect" in headers and request.minor_version == 1 and request.length != 0:
        request.expects_continue = (headers.joined(b"expect") or "").lower() == "100-continue"
    return request


def _lower_name(name: bytes) -> bytes:
    if not _NAME.fullmatch(name):
        raise malformed("the name of a header field is not a token")
    lower = name.lower()
    if len(_known_names) < _MAX_KNOWN_NAMES and len(name) <= 64:
        _known_names[name] = lower
    return lower


def _split_target(method: bytes, target: bytes) -> tuple[str, bytes]:
    """The decoded path and the raw query of a target in origin, absolute or asterisk form."""
    if not target.startswith(b"/"):
        target = _origin_form(method, target)
    path, _, query_string = target.partition(b"?")
    if b"#" in target:
        raise malformed("a request target has no fragment")
    text = path.decode("ascii")
    if "%" in text:
        text = unquote(text.replace("%2F", "%252F").replace("%2f", "%252F"))
    return text, query_string


def _origin_form(method: bytes, target: bytes) -> bytes:
    if target == b"*" and method == b"OPTIONS":
        return target
    match = _ABSOLUTE.fullmatch(target)
    if match is None or method == b"CONNECT" or not _is_host(match[1].decode("ascii")):
        raise malformed("the request target is not a path")
    return (match[2] or b"/") + (match[3] or b"")


def _check_host(request: RequestHead) -> None:
    hosts = request.headers.values(b"host")
    if len(hosts) > 1 or (not hosts and request.minor_version == 1):
        raise malformed("a request has exactly one Host header")
    if hosts and not _is_host(hosts[0].decode("latin-1")):
        raise malformed("the Host header is not a host and a port")


def _is_host(text: str) -> bool:
    return len(text) <= 300 and _HOST.fullmatch(text) is not None


def _frame_body(request: RequestHead) -> None:
    """RFC 9112, 6.3, without its tolerance: one of the two headers, once, in its plain form."""
    lengths = request.headers.values(b"content-length")
    codings = request.headers.values(b"transfer-encoding")
    if len(lengths) + len(codings) > 1:
        raise malformed("there is more than one Content-Length or Transfer-Encoding header")
    if codings:
        if request.minor_version == 0:
            raise malformed("HTTP/1.0 has no Transfer-Encoding")
        if codings[0].lower() != b"chunked":
            raise Problem("not-implemented", "the only transfer coding is chunked")
        request.length = None
    else:
        text = lengths[0].decode("latin-1")
        if not _LENGTH.fullmatch(text):
            raise malformed("Content-Length is not a number of at most 15 digits")
        request.length = int(text)


def _choose_persistence(request: RequestHead) -> None:
    text = (request.headers.joined(b"connection") or "").lower()
    options = [option.strip() for option in text.split(",")]
    request.keep_alive = "close" not in options and (
        request.minor_version == 1 or "keep-alive" in options
    )


class SizedBody:
    """A body whose length is known."""

    __slots__ = ("_left", "content")

    def __init__(self, length: int, max_bytes: int) -> None:
        if length > max_bytes:
            raise BodyTooLarge
        self.content = bytearray()
        self._left = length

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self.content)

    def feed(self, received: bytes) -> bytes | None:
        """The bytes after the end of the body, or None if it is incomplete."""
        part = received[: self._left]
        self.content += part
        self._left -= len(part)
        return None if self._left else received[len(part) :]


class ChunkedBody:
    """A body in chunks (RFC 9112, 7.1). Extensions and trailer fields are checked and discarded.

    `MAX_FIELDS_BYTES` bounds everything that is not content, so that one-byte chunks and endless
    trailers cost no more than a head.
    """

    __slots__ = (
        "_ends_chunk",
        "_in_trailers",
        "_left",
        "_max_bytes",
        "_overhead",
        "_rest",
        "content",
    )

    def __init__(self, max_bytes: int) -> None:
        self.content = bytearray()
        self._max_bytes = max_bytes
        self._left = 0
        self._overhead = 0
        self._ends_chunk = self._in_trailers = False
        self._rest = b""

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self.content) + len(self._rest)

    def feed(self, received: bytes) -> bytes | None:
        """The bytes after the end of the body, or None if it is incomplete.

        Raises 400, 431 and BodyTooLarge.
        """
        data, at = self._rest + received, 0
        scanned = max(0, len(self._rest) - 1)  # its last byte can be the CR of a CRLF
        while True:
            if self._left:
                part = data[at : at + self._left]
                self.content += part
                self._left -= len(part)
                at += len(part)
            end = -1 if self._left else data.find(b"\r\n", max(at, scanned))
            if end < 0:
                self._rest = data[at:]
                self._check_partial_line(max(0, scanned - at))
                return None
            line, at = data[at:end], end + 2
            self._count(len(line) + 2)
            if self._ends_chunk:
                if line:
                    raise malformed("a chunk is longer than its size")
                self._ends_chunk = False
            elif not self._in_trailers:
                self._start_chunk(line)
            elif not line:
                return data[at:]
            elif not _TRAILER.fullmatch(line):
                raise malformed("a trailer field is malformed")

    def _start_chunk(self, line: bytes) -> None:
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise malformed("the size of a chunk is malformed")
        self._left = int(match[1], 16)
        if len(self.content) + self._left > self._max_bytes:
            raise BodyTooLarge
        self._in_trailers = not self._left
        self._ends_chunk = not self._in_trailers

    def _check_partial_line(self, scanned: int) -> None:
        if len(self._rest) + self._overhead > MAX_FIELDS_BYTES:
            raise too_many_fields()
        if _CONTROLS.search(self._rest, scanned) or (
            self._ends_chunk and self._rest not in (b"", b"\r")
        ):
            raise malformed("a chunk is malformed")

    def _count(self, bytes_: int) -> None:
        self._overhead += bytes_
        if self._overhead > MAX_FIELDS_BYTES:
            raise too_many_fields()


Body = SizedBody | ChunkedBody


def body_of(head: RequestHead, max_bytes: int) -> Body:
    """The reader of this request's body. Raises BodyTooLarge if its length is."""
    if head.length is None:
        return ChunkedBody(max_bytes)
    return SizedBody(head.length, max_bytes)


def malformed(detail: str) -> Problem:
    return Problem("malformed-request", detail)


def too_many_fields() -> Problem:
    detail = f"header fields have at most {MAX_FIELDS_BYTES} bytes and {MAX_FIELDS} lines"
    return Problem("header-fields-too-large", detail)
