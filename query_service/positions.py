"""The state of the views as this process observed it, and whether the views may be read."""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from shared.contracts.views import (
    FIRST_GENERATION,
    Checkpoint,
    Head,
    decode_checkpoint,
    generation_key,
)
from shared.http.problems import unavailable

MIN_SHAPES: Final[dict[str, int]] = {"users": 1, "products": 1, "orders": 1}
"""The lowest shapes of views that contain everything that the queries return."""
MAX_HEAD_AGE_MS: Final = 10_000


class GenerationChanged(Exception):
    """The generation that was read is not live any more; the read must be restarted."""


class ReadPositions(dict[str, int]):
    """Positions by shard, and the generations in which they were observed."""

    def __init__(self, positions: dict[str, int], generations: dict[str, str]) -> None:
        super().__init__(positions)
        self.generations = generations

    def only(self, shards: Collection[str]) -> "ReadPositions":
        """Those of these shards."""
        return ReadPositions(
            {shard: self[shard] for shard in self if shard in shards}, self.generations
        )

    def key(self, shard: str, key: str) -> str:
        """The key in the generation of the shard."""
        return generation_key(self.generations[shard], key)


class _Observed(NamedTuple):
    stored: bytes
    position: int
    generation: str
    shape: int


class Positions:
    """The highest position of each shard that this process has read from Redis."""

    def __init__(self) -> None:
        self._highest: dict[str, _Observed] = {}
        self._generations: dict[str, str] = {}

    def floor(self, shard: str) -> int:
        """The minimum position that a read which starts now must return.

        Call it before the read is sent: replies of several connections can overtake each other.
        """
        highest = self._highest.get(shard)
        return 0 if highest is None else highest.position

    def floors(self, shards: Sequence[str]) -> ReadPositions:
        """`floor` of each of these shards, and the generations to read."""
        return ReadPositions(
            {shard: self.floor(shard) for shard in shards},
            {shard: self.generation(shard) for shard in shards},
        )

    def generation(self, shard: str) -> str:
        """The live generation, as far as this process has observed it."""
        return self._generations.get(shard, FIRST_GENERATION)

    def shape(self, shard: str) -> int:
        """The shape of the views that were read last."""
        highest = self._highest.get(shard)
        return 1 if highest is None else highest.shape

    def check(
        self, shard: str, stored: bytes | None, floor: int, generation: str | None = None
    ) -> int:
        """The position of a stored checkpoint.

        Raises 503 if the views are missing, or have lost events that they contained before;
        GenerationChanged if `generation`, whose keys were read with the checkpoint, is not live
        (None: none were).
        """
        highest = self._highest.get(shard)
        if highest is not None and highest.stored == stored and highest.position >= floor:
            self._generations[shard] = highest.generation
            self._require(shard, highest.generation, generation)
            return highest.position
        checkpoint = decode_checkpoint(stored)
        if checkpoint is None:
            raise unavailable("the view is being built; retry later")
        self._generations[shard] = checkpoint.generation
        position = checkpoint.position
        if position < max(floor, checkpoint.target):
            raise unavailable("the view is catching up after a loss of data; retry later")
        if checkpoint.shape < MIN_SHAPES.get(shard.partition(".")[0], 1):
            raise unavailable("the view does not have the shape that this version returns")
        if stored is not None and (highest is None or position >= highest.position):
            self._highest[shard] = _observed(stored, checkpoint)
        self._require(shard, checkpoint.generation, generation)
        return position

    def require_generation(self, shard: str, generation: str) -> None:
        """Raises GenerationChanged if the checkpoint that was checked last has another one."""
        self._require(shard, self.generation(shard), generation)

    def _require(self, shard: str, live: str, generation: str | None) -> None:
        if generation is not None and live != generation:
            raise GenerationChanged(shard)


def _observed(stored: bytes, checkpoint: Checkpoint) -> _Observed:
    return _Observed(stored, checkpoint.position, checkpoint.generation, checkpoint.shape)


def lag_of(position: int, head: Head | None, now_ms: int) -> int:
    """How many events the views do not contain: at least 1 if that is unknown.

    A projector observes the head of each of its shards every second. If none has done so recently,
    the event log may contain newer events.
    """
    if head is None:
        return 1
    lag = max(head.position - position, 0)
    return lag if now_ms - head.seen_at_ms <= MAX_HEAD_AGE_MS else max(lag, 1)
