"""Views in a Redis Cluster: each shard's in the slot of its hash tag, on whichever node has that.

A replica that takes over may be a moment behind: the checkpoint goes back with the views, since
both stand in one slot, and what is missing is projected again.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import TryAgainError

from projector.redis_store import RedisStore
from projector.writes import WriteBatch
from shared.contracts.views import Head
from shared.redis.cluster import Cluster, Node
from shared.redis.exchange import exchange


class RedisClusterStore:
    """See `Store`. What a single Redis does is done by the store of the node that has the shard."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stores: dict[Redis, RedisStore] = {}

    async def load(
        self, shard: str, keys: Sequence[str]
    ) -> tuple[bytes | None, list[bytes | None]]:
        return await self._cluster.run(shard, lambda node: self._at(node).load(shard, keys))

    async def write(self, shard: str, expected: bytes, writes: WriteBatch) -> bool:
        return await self._cluster.run(
            shard, lambda node: self._at(node).write(shard, expected, writes)
        )

    async def purge(self, shard: str, expected: bytes) -> bool:
        return await self._cluster.run(shard, partial(self._purge, shard, expected))

    async def checkpoints(self, shards: Sequence[str]) -> dict[str, bytes | None]:
        found: dict[str, bytes | None] = {}
        for part in await self._cluster.run_each(
            shards, lambda node, group: self._at(node).checkpoints(group)
        ):
            found |= part
        return found

    async def write_heads(self, heads: Mapping[str, Head]) -> None:
        await self._cluster.run_each(
            heads,
            lambda node, group: self._at(node).write_heads({s: heads[s] for s in group}),
        )

    async def _purge(self, shard: str, expected: bytes, node: Node) -> bool:
        """SCAN sees one node's keys: a slot that is being moved cannot be purged, and is later.

        One that has moved meanwhile fails the scripts that delete, and begins again elsewhere.
        """
        if node.importing:
            raise TryAgainError(f"{shard} is being moved")
        store = self._at(node)
        purged = await store.purge(shard, expected)
        # A key that is nowhere is refused while its slot moves.
        await store.load(shard, [f"{{{shard}}}:nowhere"])
        return purged

    def _at(self, node: Node) -> RedisStore:
        if node.importing:
            return _AskingStore(node.client)
        if node.client not in self._stores:
            self._stores[node.client] = RedisStore(node.client)
        return self._stores[node.client]


class _AskingStore(RedisStore):
    """Of a node that is being given the slot: what ASK leads to, for one request."""

    def __init__(self, client: Redis) -> None:
        super().__init__(client)
        self._run = partial(_ask, client.connection_pool)

    async def checkpoints(self, shards: Sequence[str]) -> dict[str, bytes | None]:
        return {shard: (await self.load(shard, []))[0] for shard in shards}

    async def write_heads(self, heads: Mapping[str, Head]) -> None:
        """Left out: they are written again within a second, and nothing depends on one."""


async def _ask(pool: ConnectionPool, *command: Any) -> Any:
    """ASKING and the command, on one connection."""
    _, reply = await exchange(pool, [("ASKING",), command])
    if isinstance(reply, Exception):
        raise reply
    return reply
