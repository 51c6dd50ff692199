"""The spare generation of a shard: its views are folded like the live ones, under another name."""

from collections.abc import Sequence

from projector.metrics import Metrics
from projector.projection import Progress, Projection
from projector.store import Store, WriteBatch
from projector.views.registry import Shapes, views_of_shape
from shared.contracts.views import (
    Checkpoint,
    Spare,
    decode_spare,
    generation_key,
    spare_key,
)


class SpareGone(Exception):
    """Another process dropped the spare or cut it over."""


class _SpareProgress(Progress):
    def is_lost(self, checkpoint: Checkpoint | None) -> bool:
        """Never: a spare that lost its last writes is not read, and continues from what is left."""
        return False


class SpareProjection(Projection):
    """Folds into the spare while it is the generation `name`. Methods raise SpareGone."""

    def __init__(
        self, shard: str, name: str, shapes: Shapes, store: Store, metrics: Metrics
    ) -> None:
        super().__init__(shard, shapes, store, metrics)
        self.progress = _SpareProgress()
        self._generation = name

    def decode(self, stored: bytes) -> Checkpoint | None:
        return self._spare(stored).checkpoint

    async def start(self, stored: bytes, head: int) -> bool:
        raise SpareGone(self.shard)

    async def write(self, stored: bytes, writes: WriteBatch, *, mark: bool = False) -> bool:
        spare = self._spare(stored)
        writes.spare = spare.state, spare.since_ms
        return await super().write(stored, writes, mark=True)

    async def _load(self, keys: Sequence[str]) -> tuple[bytes | None, list[bytes | None]]:
        _, (stored, *values) = await self._store.load(
            self.shard,
            [spare_key(self.shard), *(generation_key(self._generation, key) for key in keys)],
        )
        shape = self._spare(stored).checkpoint.shape
        self._views = views_of_shape(self.shard, self._shapes, shape)
        return stored, values

    def _spare(self, stored: bytes | None) -> Spare:
        spare = decode_spare(stored)
        if spare is None or spare.checkpoint.generation != self._generation:
            raise SpareGone(self.shard)
        return spare
