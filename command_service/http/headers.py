"""The request headers of commands."""

import re
from typing import Final

from shared.http.messages import Request
from shared.http.problems import Problem

_KEY = re.compile(r"[\x20-\x7e]{1,255}")
# From shape 2 of its view on, a document's ETag is `"<version>-<shape>"`.
_VERSION = re.compile(r'"(0|[1-9][0-9]{0,9})(?:-[1-9][0-9]{0,3})?"')
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_ANY_VERSION: Final = "*"


def idempotency_key(request: Request) -> str | None:
    """Raises 400 for a key that is empty, too long or not printable ASCII."""
    key = request.headers.single(b"idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise Problem(
            "malformed-request", "Idempotency-Key must be 1 to 255 printable ASCII characters"
        )
    return key


def if_match(request: Request) -> int | None:
    """The version that the target must have, None for any. Raises 400."""
    text = request.headers.single(b"if-match")
    if text is None or text.strip() == _ANY_VERSION:
        return None
    match = _VERSION.fullmatch(text.strip())
    if match is None:
        raise Problem("malformed-request", 'If-Match must be a version in quotes, such as "3"')
    return int(match[1])


def traceparent(request: Request) -> str | None:
    """The caller's trace context; None if it is missing or malformed."""
    text = request.headers.single(b"traceparent")
    return text if text is not None and _TRACEPARENT.fullmatch(text) else None
