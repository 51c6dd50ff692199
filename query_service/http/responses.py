"""How queries answer: bytes out of the views, with a token, and for nobody else's cache."""

from collections.abc import Iterable
from typing import Final

from shared.http.messages import Response, json_response
from shared.http.problems import Problem

_PUBLIC: Final = (b"cache-control", b"no-cache")
_PRIVATE: Final = (b"cache-control", b"private, no-cache")


def cache_control(private: bool) -> tuple[bytes, bytes]:
    """`private`: the answer needed a bearer token."""
    return _PRIVATE if private else _PUBLIC


def document_response(body: bytes, version: bytes, token: str, *, private: bool) -> Response:
    return json_response(200, body, *_headers(version, token, private))


def not_modified(version: bytes, token: str, *, private: bool) -> Response:
    return Response(304, b"", _headers(version, token, private))


def list_response(
    items: Iterable[bytes], next: str | None, token: str, *, private: bool, parked: int = 0
) -> Response:
    """`{"items": [...], "next": ...}` out of items that are JSON already."""
    end = b"null" if next is None else b'"%s"' % next.encode()
    body = b'{"items":[%s],"next":%s}' % (b",".join(items), end)
    return view_response(body, token, private=private, parked=parked)


def view_response(body: bytes, token: str, *, private: bool, parked: int = 0) -> Response:
    """An answer without an ETag."""
    headers = [cache_control(private), (b"consistency-token", token.encode())]
    if parked:
        headers.append((b"tandem-parked", b"%d" % parked))
    return json_response(200, body, *headers)


def not_found(token: str, *, private: bool) -> Problem:
    """The same for what is not there and for what the caller may not see."""
    headers = {"Cache-Control": cache_control(private)[1].decode()}
    if token:
        headers["Consistency-Token"] = token
    return Problem("not-found", "there is no such document", headers=headers)


def _headers(version: bytes, token: str, private: bool) -> list[tuple[bytes, bytes]]:
    return [
        (b"etag", b'"%s"' % version),
        cache_control(private),
        (b"consistency-token", token.encode()),
    ]
