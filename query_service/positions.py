"""How far the views of each shard were seen to be, and whether they may be read at all."""

from shared.contracts.views import Checkpoint
from shared.http.problems import unavailable


class Positions:
    """The highest position of each shard that this process ever saw in Redis."""

    def __init__(self) -> None:
        self._highest: dict[str, tuple[bytes, int]] = {}

    def floor(self, shard: str) -> int:
        """The position that a read which starts now must find.

        Take it before the read is sent: replies of several connections overtake each other.
        """
        known = self._highest.get(shard)
        return 0 if known is None else known[1]

    def floors(self, shards: list[str]) -> dict[str, int]:
        """`floor` of each of these shards."""
        return {shard: self.floor(shard) for shard in shards}

    def check(self, shard: str, stored: bytes | None, floor: int) -> int:
        """The position of a checkpoint as it was read.

        Raises 503 where the views are missing, or further back than they once were.
        """
        known = self._highest.get(shard)
        if known is not None and known[0] == stored and known[1] >= floor:
            return known[1]
        checkpoint = decode_checkpoint(stored)
        if checkpoint is None:
            raise unavailable("a view is being built; try again")
        position = checkpoint.position
        if position < max(floor, checkpoint.target):
            raise unavailable("a view is further back than it was; try again")
        if stored is not None and (known is None or position >= known[1]):
            self._highest[shard] = stored, position
        return position


def decode_checkpoint(stored: bytes | None) -> Checkpoint | None:
    """None where there is none, or none that can be read: both mean that nothing is known."""
    if stored is None:
        return None
    try:
        return Checkpoint.decode(stored)
    except ValueError:
        return None
