"""A client of Redis Cluster: routes requests by shard, through failovers and moved slots.

redis-py's cluster client hashes every key of a script and sends ASKING on an arbitrary connection.
Here a shard's name is its hash tag, so one lookup routes a request. Only primaries are used:
replicas redirect with MOVED.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, TypeVar

from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ClusterError,
    MovedError,
    RedisError,
    ResponseError,
)

from shared.redis.exchange import exchange

_MAX_REDIRECTS: Final = 5
_SLOTS_TIMEOUT_S: Final = 1.0
_UNREACHABLE: Final = (RedisError, OSError, TimeoutError)

T = TypeVar("T")


class Address(NamedTuple):
    """Host and port of a node, as the cluster announces them."""

    host: str
    port: int


class Node(NamedTuple):
    """A primary's client. If it is `importing` the slot, ASKING must precede each command."""

    client: Redis
    importing: bool = False


class _SlotRange(NamedTuple):
    first: int
    last: int
    owner: Address


class Cluster:
    """Finds the primary of a shard and runs work there. Raises what redis-py raises.

    An unavailable node is an error, never an absent value, until the cluster has replaced it. The
    next call after an error uses the current slot map.
    """

    def __init__(self, seeds: Sequence[Address], connect: Callable[[Address], Redis]) -> None:
        """The first slot map comes from one of `seeds`. Does no I/O."""
        self._seeds = list(seeds)
        self._connect = connect
        self._clients: dict[Address, Redis] = {}
        self._ranges: list[_SlotRange] = []
        self._owners: dict[str, Address] = {}
        self._suspects: set[Address] = set()
        self._stale = True
        self._refreshing: asyncio.Task[None] | None = None

    async def owner(self, shard: str) -> Address:
        """The primary of the shard according to the slot map."""
        if self._stale:
            await self._refresh()
        owner = self._owners.get(shard)
        if owner is None:
            owner = self._owners[shard] = self._slot_owner(key_slot(shard.encode()))
        return owner

    def client(self, address: Address) -> Redis:
        if address not in self._clients:
            self._clients[address] = self._connect(address)
        return self._clients[address]

    async def run(self, shard: str, work: Callable[[Node], Awaitable[T]]) -> T:
        """Run `work` on the shard's primary, and again elsewhere after MOVED or ASK.

        A node that redirects has executed nothing, so work that writes is safe.
        """
        address = await self.owner(shard)
        for _ in range(_MAX_REDIRECTS):
            try:
                return await work(Node(self.client(address)))
            except MovedError as error:
                address = self._owners[shard] = _redirect_target(error, address)
            except AskError as error:
                return await work(
                    Node(self.client(_redirect_target(error, address)), importing=True)
                )
            except _UNREACHABLE as error:
                self.mark_suspect(address, error)
                raise
        self._stale = True
        raise ClusterError(f"{shard}: too many redirects")

    async def group_by_owner(self, shards: Iterable[str]) -> dict[Address, list[str]]:
        groups: dict[Address, list[str]] = {}
        for shard in shards:
            groups.setdefault(await self.owner(shard), []).append(shard)
        return groups

    def mark_suspect(self, address: Address, error: BaseException) -> None:
        """After a failed connection, refresh the slot map, preferably from another node."""
        if not isinstance(error, ResponseError) or isinstance(error, ClusterDownError):
            self._stale = True
            self._suspects.add(address)

    def mark_stale(self) -> None:
        """The next call uses the current slot map."""
        self._stale = True

    async def aclose(self) -> None:
        if self._refreshing is not None:
            self._refreshing.cancel()
        await asyncio.gather(*(client.aclose() for client in self._clients.values()))

    def _slot_owner(self, slot: int) -> Address:
        index = bisect_right(self._ranges, slot, key=lambda range: range.first) - 1
        if index >= 0 and slot <= self._ranges[index].last:
            return self._ranges[index].owner
        self._stale = True
        raise ClusterDownError(f"no node serves slot {slot}")

    async def _refresh(self) -> None:
        """All callers share one refresh, and its failure."""
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._fetch_slot_map())
            self._refreshing.add_done_callback(self._end_refresh)
        await asyncio.shield(self._refreshing)

    def _end_refresh(self, refreshing: "asyncio.Task[None]") -> None:
        self._refreshing = None
        refreshing.cancelled() or refreshing.exception()  # retrieved, if all callers were cancelled

    async def _fetch_slot_map(self) -> None:
        """Get the slot map of the first node that replies, and of suspects only if no other does.

        Takes 2 * _SLOTS_TIMEOUT_S at most, however many nodes there are.
        """
        nodes = dict.fromkeys([*(range.owner for range in self._ranges), *self._seeds])
        trusted = [node for node in nodes if node not in self._suspects]
        suspects = [node for node in nodes if node in self._suspects]
        ranges = await self._first_slot_map(trusted) or await self._first_slot_map(suspects)
        if not ranges:
            raise ConnectionError("no node of the Redis Cluster replies")
        self._ranges, self._stale = ranges, False
        self._owners.clear()
        self._suspects.clear()

    async def _first_slot_map(self, nodes: Iterable[Address]) -> list[_SlotRange]:
        """The slot map of the node that replies first; empty if none replies in time."""
        requests = [asyncio.create_task(_slot_map(self.client(node), node)) for node in nodes]
        try:
            for reply in asyncio.as_completed(requests, timeout=_SLOTS_TIMEOUT_S):
                with suppress(*_UNREACHABLE):
                    return await reply
            return []
        finally:
            for request in requests:
                request.cancel()
            if requests:
                await asyncio.wait(requests)


async def _slot_map(client: Redis, node: Address) -> list[_SlotRange]:
    """Raises ClusterDownError if it is empty, as on a node that has not joined yet."""
    (found,) = await exchange(client.connection_pool, [("CLUSTER", "SLOTS")])
    if isinstance(found, Exception):
        raise found
    if not found:
        raise ClusterDownError(f"{node.host}:{node.port} has no slot map")
    return sorted(
        _SlotRange(first, last, Address(_host(primary[0], node), primary[1]))
        for first, last, primary, *_ in found
    )


def _host(announced: bytes | None, node: Address) -> str:
    """A node that announces no host name means the one by which it was reached."""
    return announced.decode() if announced and announced != b"?" else node.host


def _redirect_target(error: AskError, node: Address) -> Address:
    return Address(_host(str(error.host).encode(), node), int(error.port))
