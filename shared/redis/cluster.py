"""A Redis Cluster: which node holds a shard, and asking it through failovers and moved slots.

redis-py's own cluster client hashes every key of a script and sends ASKING on whatever connection
is free; here a shard's name is its hash tag, so one lookup places a whole request. Only primaries
are asked: a replica that was not told READONLY answers MOVED.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterable, Sequence
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

_MOST_MOVES: Final = 5
_MAP_SECONDS: Final = 1.0
_UNREACHABLE: Final = (RedisError, OSError, TimeoutError)

T = TypeVar("T")


class Address(NamedTuple):
    """Of a node, as the cluster gives it to clients."""

    host: str
    port: int


class Node(NamedTuple):
    """A primary's client. `asking`: send ASKING, on the same connection, before each command."""

    client: Redis
    asking: bool = False


class _Range(NamedTuple):
    first: int
    last: int
    owner: Address


class Cluster:
    """Raises what redis-py raises; whoever is asked again meets the cluster as it is by then.

    A node that does not answer is an error, never an absent value, until the cluster has put
    another one in its place.
    """

    def __init__(self, seeds: Sequence[Address], connect: Callable[[Address], Redis]) -> None:
        """`seeds` are asked for the map of slots at first. Making one does no I/O."""
        self._seeds = list(seeds)
        self._connect = connect
        self._clients: dict[Address, Redis] = {}
        self._ranges: list[_Range] = []
        self._owners: dict[str, Address] = {}
        self._doubted: set[Address] = set()
        self._stale = True
        self._learning = asyncio.Lock()

    async def owner(self, shard: str) -> Address:
        """The primary that has the shard, as far as is known."""
        if self._stale:
            await self._learn()
        known = self._owners.get(shard)
        if known is None:
            known = self._owners[shard] = self._of_slot(key_slot(shard.encode()))
        return known

    def client(self, address: Address) -> Redis:
        if address not in self._clients:
            self._clients[address] = self._connect(address)
        return self._clients[address]

    async def run(self, shard: str, work: Callable[[Node], Awaitable[T]]) -> T:
        """`work` on the node that has the shard, again where it turns out to have moved.

        Work that changes something must be safe to repeat only after MOVED or ASK: both say that
        the node did nothing.
        """
        address = await self.owner(shard)
        for _ in range(_MOST_MOVES):
            try:
                return await work(Node(self.client(address)))
            except MovedError as error:
                address = self._owners[shard] = _told(error, address)
            except AskError as error:
                return await work(Node(self.client(_told(error, address)), asking=True))
            except _UNREACHABLE as error:
                self.doubt(address, error)
                raise
        self._stale = True
        raise ClusterError(f"{shard} moves from node to node")

    async def run_each(
        self, shards: Iterable[str], work: Callable[[Node, list[str]], Awaitable[T]]
    ) -> list[T]:
        """`work` on all nodes at once, each with its shards; repeats are as for `run`.

        Nodes that do not answer are left out. Raises where none does.
        """
        groups = await self.by_owner(shards)
        done = await asyncio.gather(
            *(self._run_group(address, group, work) for address, group in groups.items()),
            return_exceptions=True,
        )
        failures = [outcome for outcome in done if isinstance(outcome, BaseException)]
        if failures and len(failures) == len(done):
            raise failures[0]
        return [one for part in done if not isinstance(part, BaseException) for one in part]

    async def by_owner(self, shards: Iterable[str]) -> dict[Address, list[str]]:
        groups: dict[Address, list[str]] = {}
        for shard in shards:
            groups.setdefault(await self.owner(shard), []).append(shard)
        return groups

    def doubt(self, address: Address, error: BaseException) -> None:
        """After a failure at that node, ask others where things are; a refusal says nothing."""
        if not isinstance(error, ResponseError) or isinstance(error, ClusterDownError):
            self._stale = True
            self._doubted.add(address)

    async def aclose(self) -> None:
        await asyncio.gather(*(client.aclose() for client in self._clients.values()))

    async def _run_group(
        self, address: Address, shards: list[str], work: Callable[[Node, list[str]], Awaitable[T]]
    ) -> list[T]:
        try:
            return [await work(Node(self.client(address)), shards)]
        except AskError:
            return [await self.run(s, lambda node, s=s: work(node, [s])) for s in shards]  # type: ignore[misc]
        except _UNREACHABLE as error:
            self.doubt(address, error)
            raise

    def _of_slot(self, slot: int) -> Address:
        place = bisect_right(self._ranges, slot, key=lambda found: found.first) - 1
        if place >= 0 and slot <= self._ranges[place].last:
            return self._ranges[place].owner
        self._stale = True
        raise ClusterDownError(f"no node has slot {slot}")

    async def _learn(self) -> None:
        """The map from whoever answers first; those that failed are asked last."""
        async with self._learning:
            if not self._stale:
                return
            known = dict.fromkeys([*(found.owner for found in self._ranges), *self._seeds])
            for address in sorted(known, key=self._doubted.__contains__):
                try:
                    async with asyncio.timeout(_MAP_SECONDS):
                        ranges = await _map_of_slots(self.client(address), address)
                except _UNREACHABLE as error:
                    failure: Exception = error
                    continue
                self._ranges, self._stale = ranges, False
                self._owners.clear()
                self._doubted.clear()
                return
        raise ConnectionError("no node of the Redis Cluster answers") from failure


async def _map_of_slots(client: Redis, asked: Address) -> list[_Range]:
    """Raises ClusterDownError where there is none, as on a node that was not met yet."""
    found = await client.execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
    if not found:
        raise ClusterDownError(f"{asked.host}:{asked.port} knows of no slots")
    return sorted(
        _Range(first, last, Address(_host(primary[0], asked), primary[1]))
        for first, last, primary, *_ in found
    )


def _host(given: bytes | None, asked: Address) -> str:
    """A node that knows no name of its own means the one by which it was reached."""
    return given.decode() if given and given != b"?" else asked.host


def _told(error: AskError, asked: Address) -> Address:
    return Address(_host(str(error.host).encode(), asked), int(error.port))
