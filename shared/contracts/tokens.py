"""Consistency tokens: the position that a reader must not answer from before, for each shard.

Written `orders.7:42;users.3:1`. Several, joined by commas, stand for all they name.
"""

import re
from collections.abc import Mapping

from shared.contracts.shards import TOPICS

Token = Mapping[str, int]
_PART = re.compile(rf"({'|'.join(TOPICS)})\.(0|[1-9][0-9]{{0,3}}):(0|[1-9][0-9]{{0,17}})")


class MalformedToken(ValueError):
    """The text is no consistency token of this installation."""


def format_token(positions: Token) -> str:
    parts = sorted(positions.items()) if len(positions) > 1 else positions.items()
    return ";".join([f"{shard}:{position}" for shard, position in parts])


def parse_token(text: str, partitions: int) -> dict[str, int]:
    """The highest position named for each shard.

    Raises MalformedToken, which never quotes the text.
    """
    positions: dict[str, int] = {}
    for token in text.split(","):
        for part in token.strip(" \t").split(";"):
            match = _PART.fullmatch(part)
            if match is None or int(match[2]) >= partitions:
                raise MalformedToken("Consistency-Token is not one that Tandem gave")
            merge_position(positions, f"{match[1]}.{match[2]}", int(match[3]))
    return positions


def merge_position(positions: dict[str, int], shard: str, position: int) -> None:
    """Keep the higher one of the position held and the one given."""
    if position > positions.get(shard, -1):
        positions[shard] = position
