"""Consistency tokens name, per shard, the position that a response must cover.

Format: `orders.7:42;users.3:1`. Several tokens, separated by commas, cover what each covers.
"""

import re
from collections.abc import Mapping

from shared.contracts.shards import TOPICS

Token = Mapping[str, int]
_PART = re.compile(rf"({'|'.join(TOPICS)})\.(0|[1-9][0-9]{{0,3}}):(0|[1-9][0-9]{{0,17}})")


class MalformedToken(ValueError):
    """The text is not a consistency token of this installation."""


def format_token(positions: Token) -> str:
    parts = sorted(positions.items()) if len(positions) > 1 else positions.items()
    return ";".join([f"{shard}:{position}" for shard, position in parts])


def parse_token(text: str, partitions: int) -> dict[str, int]:
    """The highest position for each shard. Empty list elements are ignored (RFC 9110, 5.6.1).

    Raises MalformedToken, whose message does not quote the text.
    """
    positions: dict[str, int] = {}
    for token in filter(None, (element.strip(" \t") for element in text.split(","))):
        for part in token.split(";"):
            match = _PART.fullmatch(part)
            if match is None or int(match[2]) >= partitions:
                raise _malformed()
            merge_position(positions, f"{match[1]}.{match[2]}", int(match[3]))
    if not positions:
        raise _malformed()
    return positions


def _malformed() -> MalformedToken:
    return MalformedToken("Consistency-Token is not a token of Tandem")


def merge_position(positions: dict[str, int], shard: str, position: int) -> None:
    """Raise the shard's position to `position` if it is lower."""
    if position > positions.get(shard, -1):
        positions[shard] = position
