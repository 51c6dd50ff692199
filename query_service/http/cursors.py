"""Pagination cursors, each valid only for the list, with its filters, that returned it."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from typing import Final

_CHECKSUM_BYTES: Final = 6
_MAX_LENGTH: Final = 100


class BadCursor(ValueError):
    """The text is not a cursor of this list."""


def encode_cursor(list_key: str, last: bytes) -> str:
    """`list_key` names the query and its filters; `last` is the last item of the page."""
    return urlsafe_b64encode(last + _checksum(list_key, last)).rstrip(b"=").decode()


def decode_cursor(list_key: str, text: str) -> bytes:
    """The last item of the previous page. Raises BadCursor.

    The checksum detects mistakes; it is not a protection, and none is needed.
    """
    try:
        if len(text) > _MAX_LENGTH:
            raise BadCursor
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (binascii.Error, UnicodeEncodeError):
        raise BadCursor from None
    last = raw[:-_CHECKSUM_BYTES]
    if not last or encode_cursor(list_key, last) != text:
        raise BadCursor
    return last


def _checksum(list_key: str, last: bytes) -> bytes:
    content = list_key.encode(errors="replace") + b"\0" + last
    return blake2b(content, digest_size=_CHECKSUM_BYTES).digest()
