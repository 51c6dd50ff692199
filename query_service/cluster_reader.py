"""The reader of a Redis Cluster: per node, one batch of documents and one of lists in flight.

An unavailable node delays only the reads that need it.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from prometheus_client import Histogram
from redis.exceptions import AskError, ClusterDownError, MovedError, TryAgainError

from query_service.reader import Reading, Values, is_unavailable, to_problem
from shared.redis.clients import REDIS_ERRORS
from shared.redis.cluster import Address, Cluster, Node
from shared.redis.exchange import RedisCommand, exchange
from shared.request_coalescer import RequestCoalescer

_MAX_GETS: Final = 512
_MAX_READ_KEYS: Final = 2000  # more would block Redis for longer than 5 ms
# A node replies with one of these if it does not have the complete shard.
_REDIRECTS: Final = (MovedError, AskError, TryAgainError, ClusterDownError)


@dataclass(slots=True)
class _ShardRequest:
    """Reads keys of one shard, then executes commands on it."""

    shard: str
    keys: list[str] = field(default_factory=list)
    commands: list[RedisCommand] = field(default_factory=list)

    def all_commands(self) -> list[RedisCommand]:
        """One MGET, so that the values are read atomically, then the commands."""
        return [("MGET", *self.keys), *self.commands] if self.keys else self.commands

    def reading(self, replies: list[Any]) -> Reading:
        return Reading(replies[0], replies[1:]) if self.keys else Reading([], replies)


class _NodeReader:
    """The batches of one node."""

    def __init__(self, cluster: Cluster, address: Address, batch_keys: Histogram) -> None:
        self._cluster = cluster
        self._address = address
        self._batch_keys = batch_keys
        self.gets = RequestCoalescer(
            self._send, max_batch_size=_MAX_GETS, map_error=to_problem, fails_queue=is_unavailable
        )
        self.reads = RequestCoalescer(
            self._send,
            max_batch_size=_MAX_READ_KEYS,
            weight=lambda request: len(request.keys) + len(request.commands),
            map_error=to_problem,
            fails_queue=is_unavailable,
        )

    async def close(self) -> None:
        await self.gets.close()
        await self.reads.close()

    async def _send(self, requests: list[_ShardRequest]) -> list[Reading]:
        """Requests of the same shard share an MGET, in which each key occurs once."""
        merged = _merge_by_shard(requests)
        self._batch_keys.observe(sum(len(request.keys) for request in merged.values()))
        readings = await _read_node(self._cluster, self._address, list(merged.values()))
        indexes = {s: {key: n for n, key in enumerate(r.keys)} for s, r in merged.items()}
        remaining = {shard: iter(reading.replies) for shard, reading in readings.items()}
        return [
            Reading(
                [readings[r.shard].values[indexes[r.shard][key]] for key in r.keys],
                list(islice(remaining[r.shard], len(r.commands))),
            )
            for r in requests
        ]


class ClusterReader:
    """See `Reader`."""

    def __init__(self, cluster: Cluster, batch_keys: Histogram) -> None:
        self._cluster = cluster
        self._batch_keys = batch_keys
        self._nodes: dict[Address, _NodeReader] = {}

    async def get(self, keys: Sequence[str]) -> Values:
        request = _ShardRequest(_shard_of(keys[0]), list(keys))
        node = await self._node(request.shard)
        return (await node.gets.submit(request)).values

    def read(
        self, keys: Sequence[str], commands: Sequence[RedisCommand] = ()
    ) -> Awaitable[Reading]:
        return self._read(_split_by_shard(keys, commands), keys, commands)

    async def close(self) -> None:
        for node in self._nodes.values():
            await node.close()

    async def _read(
        self,
        requests: Mapping[str, _ShardRequest],
        keys: Sequence[str],
        commands: Sequence[RedisCommand],
    ) -> Reading:
        nodes = [await self._node(shard) for shard in requests]
        results = await _gather_all(
            node.reads.submit(request)
            for node, request in zip(nodes, requests.values(), strict=True)
        )
        return _in_order(dict(zip(requests, results, strict=True)), keys, commands)

    async def _node(self, shard: str) -> _NodeReader:
        try:
            address = await self._cluster.owner(shard)
        except REDIS_ERRORS as error:
            raise to_problem(error) from None
        if address not in self._nodes:
            self._nodes[address] = _NodeReader(self._cluster, address, self._batch_keys)
        return self._nodes[address]


async def group_by_cluster_node(cluster: Cluster, shards: Sequence[str]) -> list[list[str]]:
    """The shards of each node. Raises one of REDIS_ERRORS."""
    return list((await cluster.group_by_owner(shards)).values())


async def fetch_cluster_values(cluster: Cluster, keys: Sequence[str]) -> Values:
    """The values of these keys, from all nodes concurrently. Raises one of REDIS_ERRORS.

    Only for the watcher: values of an unavailable node are None, unless all nodes are unavailable.
    The watcher then wakes the waiting reads, whose next attempt raises 503.
    """
    requests = _split_by_shard(keys, ())
    groups = await cluster.group_by_owner(requests)
    parts = await asyncio.gather(
        *(
            _read_node(cluster, address, [requests[shard] for shard in shards])
            for address, shards in groups.items()
        ),
        return_exceptions=True,
    )
    readings = {shard: Reading([None] * len(r.keys), []) for shard, r in requests.items()}
    failures = [part for part in parts if isinstance(part, BaseException)]
    if failures and len(failures) == len(parts):
        raise failures[0]
    for part in parts:
        readings |= {} if isinstance(part, BaseException) else part
    return _in_order(readings, keys, ()).values


async def _read_node(
    cluster: Cluster, address: Address, requests: list[_ShardRequest]
) -> dict[str, Reading]:
    """The readings by shard: one round trip, and one more for each shard that has moved."""
    try:
        commands = [command for request in requests for command in request.all_commands()]
        pool = cluster.client(address).connection_pool
        replies = iter(await exchange(pool, commands))
    except REDIS_ERRORS as error:
        cluster.mark_suspect(address, error)
        raise
    readings: dict[str, Reading] = {}
    for request in requests:
        shard_replies = list(islice(replies, len(request.all_commands())))
        if any(isinstance(reply, _REDIRECTS) for reply in shard_replies):
            shard_replies = await _read_moved_shard(cluster, request)
        for reply in shard_replies:
            if isinstance(reply, Exception):
                raise reply
        readings[request.shard] = request.reading(shard_replies)
    return readings


async def _read_moved_shard(cluster: Cluster, request: _ShardRequest) -> list[Any]:
    """Sends the complete request: no reply may be older than the values."""

    async def send(node: Node) -> list[Any]:
        async with node.client.pipeline(transaction=False) as pipeline:
            for command in request.all_commands():
                if node.importing:
                    pipeline.execute_command("ASKING")
                pipeline.execute_command(*command)
            replies: list[Any] = await pipeline.execute()
        return replies[1::2] if node.importing else replies

    return await cluster.run(request.shard, send)


def _split_by_shard(
    keys: Sequence[str], commands: Sequence[RedisCommand]
) -> dict[str, _ShardRequest]:
    requests: dict[str, _ShardRequest] = {}
    for key in keys:
        shard = _shard_of(key)
        requests.setdefault(shard, _ShardRequest(shard)).keys.append(key)
    for command in commands:
        shard = _shard_of(str(command[1]))
        requests.setdefault(shard, _ShardRequest(shard)).commands.append(command)
    return requests


def _in_order(
    readings: Mapping[str, Reading], keys: Sequence[str], commands: Sequence[RedisCommand]
) -> Reading:
    """Joins the shards' readings in the order of the keys and commands."""
    values = {shard: iter(reading.values) for shard, reading in readings.items()}
    replies = {shard: iter(reading.replies) for shard, reading in readings.items()}
    return Reading(
        [next(values[_shard_of(key)]) for key in keys],
        [next(replies[_shard_of(str(command[1]))]) for command in commands],
    )


def _merge_by_shard(requests: Sequence[_ShardRequest]) -> dict[str, _ShardRequest]:
    """One request per shard, with every key once."""
    keys: dict[str, dict[str, None]] = {}
    commands: dict[str, list[RedisCommand]] = {}
    for request in requests:
        keys.setdefault(request.shard, {}).update(dict.fromkeys(request.keys))
        commands.setdefault(request.shard, []).extend(request.commands)
    return {shard: _ShardRequest(shard, list(keys[shard]), commands[shard]) for shard in keys}


def _shard_of(key: str) -> str:
    return key[1 : key.index("}")]


async def _gather_all(results: Iterable[Awaitable[Reading]]) -> list[Reading]:
    """All results, or the first error after all have finished."""
    outcomes = await asyncio.gather(*results, return_exceptions=True)
    readings = []
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        readings.append(outcome)
    return readings
