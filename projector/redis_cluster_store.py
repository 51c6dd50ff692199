"""Views in a Redis Cluster: each shard is on the node that has the slot of its hash tag.

A replica that is promoted may lag: the checkpoint reverts together with the views, because both
are in one slot, and the missing events are applied again.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import TryAgainError

from projector.redis_store import RedisStore
from projector.store import Memory, ShardReading, WriteBatch
from shared.contracts.shards import DEFAULT_PARTITIONS, all_shards
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

    async def replace(
        self, shard: str, changes: Mapping[str, bytes | None], expected: bytes
    ) -> bool:
        return await self._cluster.run(
            shard, lambda node: self._store(node).replace(shard, changes, expected)
        )

    async def switch(
        self, shard: str, live: str, spare: str, state: str, mark: str, now_ms: int
    ) -> str:
        return await self._cluster.run(
            shard, lambda node: self._store(node).switch(shard, live, spare, state, mark, now_ms)
        )

    async def sweep(self, sweeps: Mapping[str, bytes]) -> dict[str, int]:
        """SCAN sees the keys of one node: while a slot migrates, its sweep raises."""
        found: dict[str, int] = {}
        for group in (await self._cluster.group_by_owner(sweeps)).values():
            due = {shard: sweeps[shard] for shard in group}
            found |= await self._cluster.run(group[0], partial(self._sweep, due))
        return found

    async def read(
        self, shard: str, compared: str, keys: Sequence[str], members: Sequence[tuple[str, str]]
    ) -> ShardReading | None:
        return await self._cluster.run(
            shard, lambda node: self._store(node).read(shard, compared, keys, members)
        )

    async def scan(self, shard: str) -> AsyncIterator[list[str]]:
        node = Node(self._cluster.client(await self._cluster.owner(shard)))
        async for page in self._store(node).scan(shard):
            yield page

    async def scan_members(self, shard: str, key: str) -> AsyncIterator[list[str]]:
        node = Node(self._cluster.client(await self._cluster.owner(shard)))
        async for page in self._store(node).scan_members(shard, key):
            yield page

    async def count(self, shard: str, key: str) -> int:
        return await self._cluster.run(shard, lambda node: self._store(node).count(shard, key))

    async def memory(self) -> list[Memory]:
        groups = await self._cluster.group_by_owner(all_shards(DEFAULT_PARTITIONS))
        found: list[Memory] = []
        for address in groups:
            found += await self._store(Node(self._cluster.client(address))).memory()
        return found

    async def write_head(self, shard: str, head: Head | None, owner: bytes) -> None:
        await self._cluster.run(
            shard, lambda node: self._store(node).write_head(shard, head, owner)
        )

    async def _sweep(self, sweeps: Mapping[str, bytes], node: Node) -> dict[str, int]:
        if node.importing:
            raise TryAgainError("a slot is migrating")
        store = self._store(node)
        found = await store.sweep(sweeps)
        for shard in sweeps:
            # While the slot migrates, Redis rejects a command on a key that does not exist.
            await store.load(shard, [f"{{{shard}}}:nowhere"])
        return found

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
