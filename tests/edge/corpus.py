"""Requests that are known to smuggle another one past some server, and the right treatment.

The kinds are those of the published corpora: CL.TE, TE.CL, TE.TE, CL.0, upgrades, trailers, bare
CR and LF, pipelining after an error. `SMUGGLED` is the request that must never be handled.
"""

from dataclasses import dataclass

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
_HOST = b"Host: x\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_LENGTH = b"Content-Length: %d\r\n" % len(SMUGGLED)


@dataclass(frozen=True)
class Case:
    """`statuses` of the responses in order; `bodies` of the requests that are handled."""

    name: str
    sent: bytes
    statuses: tuple[int, ...]
    bodies: tuple[bytes, ...] = ()


def post(
    fields: bytes, body: bytes = b"", *, host: bytes = _HOST, version: bytes = b"1.1"
) -> bytes:
    return b"POST /echo HTTP/%b\r\n%b%b\r\n%b" % (version, host, fields, body)


def get(fields: bytes, *, target: bytes = b"/echo") -> bytes:
    return b"GET %b HTTP/1.1\r\n%b\r\n" % (target, fields)


def chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n"


def _upgrades() -> list[Case]:
    cases = []
    for protocol in (b"foo", b"h2c", b"websocket", b"HTTP/2.0", b"foo, h2c"):
        upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: %b\r\n" % protocol
        name = protocol.decode()
        cases += [
            Case(
                f"upgrade to {name} with a length",
                post(upgrade + _LENGTH, SMUGGLED),
                (200,),
                (SMUGGLED,),
            ),
            Case(
                f"upgrade to {name} with chunks",
                post(upgrade + _CHUNKED, chunks(SMUGGLED) + b"\r\n"),
                (200,),
                (SMUGGLED,),
            ),
            Case(
                f"upgrade to {name} without a body",
                get(_HOST + upgrade) + get(_HOST, target=b"/next"),
                (200, 200),
                (b"", b""),
            ),
        ]
    return cases


def _lengths_and_codings() -> list[Case]:
    body = b"0\r\n\r\n" + SMUGGLED
    cases = [
        Case("CL.TE", post(b"Content-Length: 5\r\n" + _CHUNKED, body), (400,)),
        Case("TE.CL", post(_CHUNKED + b"Content-Length: 5\r\n", body), (400,)),
        Case("CL.0 on GET", get(_HOST + _LENGTH) + SMUGGLED, (200,), (SMUGGLED,)),
        Case(
            "CL.0 on POST", post(b"Content-Length: 0\r\n", b"GARBAGE\r\n\r\n"), (200, 400), (b"",)
        ),
        Case("chunks in HTTP/1.0", post(_CHUNKED, body, version=b"1.0"), (400,)),
    ]
    values = {
        b"gzip, chunked": 501,
        b"chunked, gzip": 501,
        b"chunked, chunked": 501,
        b"identity": 501,
        b"xchunked": 501,
        b"chunked;q=1": 501,
        b'"chunked"': 501,
        b"": 501,
        b"\x0bchunked": 400,
        b"chunked\x00": 400,
        b"chu\rnked": 400,
    }
    for value, status in values.items():
        field = b"Transfer-Encoding: %b\r\n" % value
        cases.append(Case(f"TE is {value!r}", post(field, body), (status,)))
    fields = {
        "TE twice": _CHUNKED + _CHUNKED,
        "TE twice, one of them cow": _CHUNKED + b"Transfer-Encoding: cow\r\n",
        "TE with a space before the colon": b"Transfer-Encoding : chunked\r\n" + _LENGTH,
        "TE with a tab before the colon": b"Transfer-Encoding\t: chunked\r\n",
        "TE folded": b"Transfer-Encoding:\r\n chunked\r\n",
        "TE behind a folded field": b"X: a\r\n Transfer-Encoding: chunked\r\n" + _LENGTH,
        "TE behind a bare LF": b"X: a\nTransfer-Encoding: chunked\r\n" + _LENGTH,
        "TE behind a bare CR": b"X: a\rTransfer-Encoding: chunked\r\n" + _LENGTH,
        "TE with a NUL in its name": b"Transfer\x00-Encoding: chunked\r\n",
        "CL twice": b"Content-Length: 5\r\nContent-Length: 6\r\n",
        "CL twice the same": b"Content-Length: 5\r\nContent-Length: 5\r\n",
    }
    cases += [Case(name, post(lines, body), (400,)) for name, lines in fields.items()]
    lengths = [
        b"+5",
        b"-5",
        b"5, 5",
        b"0x5",
        b"5 5",
        b"5;",
        b"",
        b"9" * 20,
        b"5\x0b",
        b"\xb2",
        b"5.0",
    ]
    cases += [
        Case(f"CL is {value!r}", post(b"Content-Length: %b\r\n" % value, body), (400,))
        for value in lengths
    ]
    return cases


def _chunked_bodies() -> list[Case]:
    secret = b"Authorization: Bearer x\r\nContent-Length: 500\r\nX: y\r\n"
    cases = [
        Case("trailers", post(_CHUNKED, chunks(b"hello") + secret + b"\r\n"), (200,), (b"hello",)),
        Case(
            "a request after trailers",
            post(_CHUNKED, chunks(b"a") + secret + b"\r\n") + get(_HOST),
            (200, 200),
            (b"a", b""),
        ),
        Case(
            "extensions",
            post(_CHUNKED, b'3;a=b;c="d"\r\nabc\r\n2;x\r\nde\r\n00;y\r\n\r\n'),
            (200,),
            (b"abcde",),
        ),
        Case("leading zeros", post(_CHUNKED, b"0003\r\nabc\r\n000\r\n\r\n"), (200,), (b"abc",)),
    ]
    malformed = {
        "0x5": b"0x5\r\nhello\r\n",
        "negative": b"-5\r\nhello\r\n",
        "plus": b"+5\r\nhello\r\n",
        "trailing space": b"5 \r\nhello\r\n",
        "leading space": b" 5\r\nhello\r\n",
        "overflow": b"10000000000000005\r\nhello\r\n",
        "empty size": b"\r\nhello\r\n",
        "space before an extension": b"5 ;a\r\nhello\r\n",
        "not hexadecimal": b"g\r\nhello\r\n",
        "size ends with LF": b"5\nhello\r\n",
        "size ends with CR": b"5\rhello\r\n",
        "extension with LF": b"5;a\nb\r\nhello\r\n",
        "data ends with LF": b"5\r\nhello\n",
        "data too long": b"5\r\nhelloX\r\n",
        "data too short": b"5\r\nhell\r\n",
    }
    cases += [
        Case(f"chunk: {name}", post(_CHUNKED, body + b"0\r\n\r\n" + SMUGGLED), (400,))
        for name, body in malformed.items()
    ]
    trailers = {
        "bare LF": b"X: a\nY: b\r\n",
        "bare CR": b"X: a\rY: b\r\n",
        "no colon": b"X\r\n",
        "folded": b"X: a\r\n b\r\n",
        "ends with LF": b"X: a\n\n",
    }
    cases += [
        Case(f"trailer: {name}", post(_CHUNKED, b"0\r\n" + lines + b"\r\n" + SMUGGLED), (400,))
        for name, lines in trailers.items()
    ]
    return cases


def _heads() -> list[Case]:
    host = b"Host: x\r\n"
    return [
        Case("no Host", get(b""), (400,)),
        Case("two Hosts", get(host + b"Host: y\r\n"), (400,)),
        Case("two Hosts the same", get(host + host), (400,)),
        Case("Host is a list", get(b"Host: x, y\r\n"), (400,)),
        Case("Host has a path", get(b"Host: x/y\r\n"), (400,)),
        Case("Host has a user", get(b"Host: u@x\r\n"), (400,)),
        Case("Host has a space", get(b"Host: x y\r\n"), (400,)),
        Case("no Host in HTTP/1.0", b"GET /echo HTTP/1.0\r\n\r\n", (200,), (b"",)),
        Case("Host with a port", get(b"Host: [::1]:80\r\n"), (200,), (b"",)),
        Case("absolute form", get(host, target=b"http://y/echo"), (200,), (b"",)),
        Case("absolute form with a user", get(host, target=b"http://u@y/echo"), (400,)),
        Case("authority form", b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", (400,)),
        Case("a fragment", get(host, target=b"/echo#a"), (400,)),
        Case("a relative path", get(host, target=b"echo"), (400,)),
        Case("not ASCII", get(host, target=b"/\xc3\xa9"), (400,)),
        Case("an empty line first", b"\r\n" + get(host), (200,), (b"",)),
        Case("bare LFs", b"GET /echo HTTP/1.1\nHost: x\n\n" + SMUGGLED, (400,)),
        Case("nothing but bare LFs", b"GET /echo HTTP/1.1\nHost: x\n\n", (400,)),
        Case("a bare LF at the end", b"GET /echo HTTP/1.1\r\nHost: x\r\n\n" + SMUGGLED, (400,)),
        Case("a bare CR at the end", b"GET /echo HTTP/1.1\r\nHost: x\r\r\n" + SMUGGLED, (400,)),
        Case("a field before the colon", get(host + b"X y: z\r\n"), (400,)),
        Case("a field without a colon", get(host + b"XY\r\n"), (400,)),
        Case("a field without a name", get(host + b": y\r\n"), (400,)),
        Case(
            "a field with a space first",
            b"GET /echo HTTP/1.1\r\n X: y\r\n" + host + b"\r\n",
            (400,),
        ),
        Case("a control character", get(host + b"X: a\x01\r\n"), (400,)),
        Case("two spaces", b"GET  /echo HTTP/1.1\r\nHost: x\r\n\r\n", (400,)),
        Case("a space in the target", get(host, target=b"/a b"), (400,)),
        Case("HTTP/0.9", b"GET /echo\r\n\r\n" + SMUGGLED, (400,)),
        Case("HTTP/2.0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400,)),
        Case("HTTP/1.10", b"GET /echo HTTP/1.10\r\nHost: x\r\n\r\n", (400,)),
        Case("lower-case http", b"GET /echo http/1.1\r\nHost: x\r\n\r\n", (400,)),
        Case("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", (400,)),
        Case("pipelining after an error", b"GARBAGE\r\n\r\n" + SMUGGLED, (400,)),
        Case(
            "pipelining after a response",
            get(host) + get(host, target=b"/a") + b"GARBAGE\r\n\r\n" + SMUGGLED,
            (200, 200, 400),
            (b"", b""),
        ),
        Case(
            "a request after close", get(host + b"Connection: close\r\n") + SMUGGLED, (200,), (b"",)
        ),
        Case(
            "a request after close in a list",
            get(host + b"Connection: keep-alive, close\r\n") + SMUGGLED,
            (200,),
            (b"",),
        ),
        Case("HTTP/1.0 closes", b"GET /echo HTTP/1.0\r\n\r\n" + SMUGGLED, (200,), (b"",)),
    ]


CASES = [*_upgrades(), *_lengths_and_codings(), *_chunked_bodies(), *_heads()]
