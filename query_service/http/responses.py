"""Builds the responses of queries: stored bytes, consistency token, Cache-Control, ETag."""

import re
from collections.abc import Iterable
from typing import Final

from shared.http.messages import Response, json_response
from shared.http.problems import Problem

_PUBLIC: Final = (b"cache-control", b"no-cache")
_PRIVATE: Final = (b"cache-control", b"private, no-cache")
_ETAG: Final = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def cache_control(private: bool) -> tuple[bytes, bytes]:
    """`private`: the response required a bearer token."""
    return _PRIVATE if private else _PUBLIC


def entity_tag(version: bytes, shape: int) -> bytes:
    """The ETag of a document without its quotes: `<version>`, from shape 2 on `<version>-<shape>`.

    Caches therefore do not keep the body of another shape.
    """
    return version if shape == 1 else b"%b-%d" % (version, shape)


def document_response(body: bytes, tag: bytes, token: str, *, private: bool) -> Response:
    return json_response(200, body, *_headers(tag, token, private))


def not_modified(tag: bytes, token: str, *, private: bool) -> Response:
    return Response(304, b"", _headers(tag, token, private))


def etag_matches(if_none_match: str, etag: str) -> bool:
    """Whether an If-None-Match header contains the ETag, by weak comparison (RFC 9110)."""
    if if_none_match == etag:
        return True
    return if_none_match.strip() == "*" or etag in _ETAG.findall(if_none_match)


def list_response(
    items: Iterable[bytes], next: str | None, token: str, *, private: bool, parked: int = 0
) -> Response:
    """`{"items": [...], "next": ...}` with items that are JSON already."""
    cursor = b"null" if next is None else b'"%s"' % next.encode()
    body = b'{"items":[%s],"next":%s}' % (b",".join(items), cursor)
    return view_response(body, token, private=private, parked=parked)


def view_response(body: bytes, token: str, *, private: bool, parked: int = 0) -> Response:
    """A response without an ETag."""
    headers = [cache_control(private), (b"consistency-token", token.encode())]
    if parked:
        headers.append((b"tandem-parked", b"%d" % parked))
    return json_response(200, body, *headers)


def not_found(token: str, *, private: bool) -> Problem:
    """404, identical for documents that do not exist and those the caller may not access."""
    headers = {"Cache-Control": cache_control(private)[1].decode()}
    if token:
        headers["Consistency-Token"] = token
    return Problem("not-found", "there is no such document", headers=headers)


def _headers(tag: bytes, token: str, private: bool) -> list[tuple[bytes, bytes]]:
    return [
        (b"etag", b'"%s"' % tag),
        cache_control(private),
        (b"consistency-token", token.encode()),
    ]
