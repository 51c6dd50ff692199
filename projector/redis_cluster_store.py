"""Views in a Redis Cluster: each shard is on the node that has the slot of its hash tag.

A replica that is promoted may lag: the checkpoint reverts together with the views, because both
are in one slot, and the missing events are applied again.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import TryAgainError

from projector.redis_store import RedisStore
from projector.store import WriteBatch
from shared.contracts.views import Head
from shared.redis.cluster import Cluster, Node
from shared.redis.exchange import exchange


class RedisClusterStore:
    """See `Store`. Each node has a `RedisStore` for its shards."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stores: dict[Redis, RedisStore] = {}

    async def load(
        self, shard: str, keys: Sequence[str]
    ) -> tuple[bytes | None, list[bytes | None]]:
        return await self._cluster.run(shard, lambda node: self._store(node).load(shard, keys))

    async def write(self, shard: str, expected: bytes, writes: WriteBatch) -> bool:
        return await self._cluster.run(
            shard, lambda node: self._store(node).write(shard, expected, writes)
        )

    async def purge(self, shard: str, expected: bytes) -> bool:
        return await self._cluster.run(shard, partial(self._purge, shard, expected))

    async def write_head(self, shard: str, head: Head) -> None:
        await self._cluster.run(shard, lambda node: self._store(node).write_head(shard, head))

    async def _purge(self, shard: str, expected: bytes, node: Node) -> bool:
        """SCAN sees the keys of one node: while a slot migrates, its purge raises and is retried.

        If the slot has migrated in the meantime, the deleting scripts are redirected, and the
        purge restarts on the other node.
        """
        if node.importing:
            raise TryAgainError(f"the slot of {shard} is migrating")
        store = self._store(node)
        purged = await store.purge(shard, expected)
        # While the slot migrates, Redis rejects a command on a key that does not exist.
        await store.load(shard, [f"{{{shard}}}:nowhere"])
        return purged

    def _store(self, node: Node) -> RedisStore:
        if node.importing:
            return _RedirectedStore(node.client)
        if node.client not in self._stores:
            self._stores[node.client] = RedisStore(node.client)
        return self._stores[node.client]


class _RedirectedStore(RedisStore):
    """For one request to the node that imports the slot, after an ASK redirect."""

    def __init__(self, client: Redis) -> None:
        super().__init__(client)
        self._run = partial(_run_redirected, client.connection_pool)


async def _run_redirected(pool: ConnectionPool, *command: Any) -> Any:
    """ASKING and the command, on one connection."""
    _, reply = await exchange(pool, [("ASKING",), command])
    if isinstance(reply, Exception):
        raise reply
    return reply
