"""Cursors: where a walk goes on, bound to the query and the filters that it was begun with."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from typing import Final

_CHECK: Final = 6
_LONGEST: Final = 100


class BadCursor(ValueError):
    """The text is no cursor of this query and these filters."""


def encode_cursor(walk: str, place: bytes) -> str:
    """`walk` names the query and its filters; `place` is where it goes on."""
    return urlsafe_b64encode(place + _check(walk, place)).rstrip(b"=").decode()


def decode_cursor(walk: str, text: str) -> bytes:
    """The place. The check finds mistakes; it keeps nobody out, nor need it. Raises BadCursor."""
    try:
        if len(text) > _LONGEST:
            raise BadCursor
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (binascii.Error, UnicodeEncodeError):
        raise BadCursor from None
    place = raw[:-_CHECK]
    if not place or encode_cursor(walk, place) != text:
        raise BadCursor
    return place


def _check(walk: str, place: bytes) -> bytes:
    return blake2b(walk.encode(errors="replace") + b"\0" + place, digest_size=_CHECK).digest()
