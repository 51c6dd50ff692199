"""Conditional reads (RFC 9110): whether the client already holds what it asks for."""

import re
from typing import Final

_TAG: Final = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def holds(if_none_match: str, etag: str) -> bool:
    """Whether the tags of an If-None-Match include this one, by weak comparison."""
    if if_none_match == etag:
        return True
    return if_none_match.strip() == "*" or etag in _TAG.findall(if_none_match)
