"""What the projector needs of the place where views are kept."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from projector.writes import WriteBatch
from shared.contracts.views import Head


class Store(Protocol):
    """Views of many shards. Whatever is raised, nothing is known about what was done.

    An absent value is an answer; a store that is away, loading or full raises instead.
    """

    async def load(
        self, shard: str, keys: Sequence[str]
    ) -> tuple[bytes | None, list[bytes | None]]:
        """The shard's checkpoint and the values of `keys`, all of one moment."""
        ...

    async def write(self, shard: str, expected: bytes, writes: WriteBatch) -> bool:
        """Writes all and the new checkpoint, if the checkpoint is still `expected` (b"": none).

        False, with nothing written, where it is not. In one step: a crash leaves all or nothing.
        """
        ...

    async def purge(self, shard: str, expected: bytes) -> bool:
        """Deletes the shard's views, all but checkpoint and head, while it has that checkpoint.

        False where the checkpoint changed meanwhile; then some may have been deleted, and whoever
        changed it had purged before.
        """
        ...

    async def checkpoints(self, shards: Sequence[str]) -> dict[str, bytes | None]:
        """The checkpoints of these shards; shards whose part of the store is away are left out.

        Raises where all of it is.
        """
        ...

    async def write_heads(self, heads: Mapping[str, Head]) -> None:
        """What is known of the log's heads."""
        ...
