"""Ids are UUIDv7 in lower case; their last 12 bits, the *placement*, determine the shard."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

PLACEMENTS = 1 << 12
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


def new_id(now_ms: int, randomness: int, placement: int) -> str:
    """A UUIDv7 of this millisecond.

    `randomness` has 62 bits (12 before the variant, 50 after it), `placement` the last 12.
    """
    value = (now_ms & (1 << 48) - 1) << 80
    value |= 0x7 << 76 | (randomness >> 50 & 0xFFF) << 64
    value |= 0b10 << 62 | (randomness & (1 << 50) - 1) << 12 | placement % PLACEMENTS
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def placement(id: str) -> int:
    """The last 12 bits of an id."""
    return int(id[-3:], 16)


def parse_id(text: str) -> str | None:
    """The id in lower case; None if the text is not a UUID."""
    return text.lower() if _UUID.fullmatch(text) else None


def _lower_uuid(text: str) -> str:
    id = parse_id(text)
    if id is None:
        raise ValueError("must be a UUID")
    return id


Id = Annotated[
    str,
    StringConstraints(strict=True),
    AfterValidator(_lower_uuid),
    Field(json_schema_extra={"format": "uuid"}),
]
