"""The positions of the views as this process observed them, and whether the views may be read."""

from shared.contracts.views import decode_checkpoint
from shared.http.problems import unavailable


class Positions:
    """The highest position of each shard that this process has read from Redis."""

    def __init__(self) -> None:
        self._highest: dict[str, tuple[bytes, int]] = {}

    def floor(self, shard: str) -> int:
        """The minimum position that a read which starts now must return.

        Call it before the read is sent: replies of several connections can overtake each other.
        """
        highest = self._highest.get(shard)
        return 0 if highest is None else highest[1]

    def floors(self, shards: list[str]) -> dict[str, int]:
        """`floor` of each of these shards."""
        return {shard: self.floor(shard) for shard in shards}

    def check(self, shard: str, stored: bytes | None, floor: int) -> int:
        """The position of a stored checkpoint.

        Raises 503 if the views are missing, or have lost events that they contained before.
        """
        highest = self._highest.get(shard)
        if highest is not None and highest[0] == stored and highest[1] >= floor:
            return highest[1]
        checkpoint = decode_checkpoint(stored)
        if checkpoint is None:
            raise unavailable("the view is being built; retry later")
        position = checkpoint.position
        if position < max(floor, checkpoint.target):
            raise unavailable("the view is catching up after a loss of data; retry later")
        if stored is not None and (highest is None or position >= highest[1]):
            self._highest[shard] = stored, position
        return position
