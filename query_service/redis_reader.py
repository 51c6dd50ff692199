"""The reader of a single Redis: one batch of documents and one of lists in flight."""

from collections.abc import Awaitable, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, cast

from prometheus_client import Histogram
from redis.asyncio import Redis

from query_service.reader import Reading, Values, is_unavailable, to_problem
from shared.redis.exchange import RedisCommand, exchange
from shared.request_coalescer import RequestCoalescer

_MAX_GETS: Final = 512
_MAX_READS: Final = 16


class _ReadRequest(NamedTuple):
    keys: Sequence[str]
    commands: Sequence[RedisCommand]


class RedisReader:
    """See `Reader`. Documents and lists have separate batches: documents never wait for lists."""

    def __init__(self, client: Redis, batch_keys: Histogram) -> None:
        self._client = client
        self._batch_keys = batch_keys
        self._gets = RequestCoalescer(
            self._get_all,
            max_batch_size=_MAX_GETS,
            map_error=to_problem,
            fails_queue=is_unavailable,
        )
        self._reads = RequestCoalescer(
            self._read_all,
            max_batch_size=_MAX_READS,
            map_error=to_problem,
            fails_queue=is_unavailable,
        )

    def get(self, keys: Sequence[str]) -> Awaitable[Values]:
        return self._gets.submit(keys)

    def read(
        self, keys: Sequence[str], commands: Sequence[RedisCommand] = ()
    ) -> Awaitable[Reading]:
        return self._reads.submit(_ReadRequest(keys, commands))

    async def close(self) -> None:
        await self._gets.close()
        await self._reads.close()

    async def _get_all(self, requests: list[Sequence[str]]) -> list[Values]:
        indexes = _index_keys(requests)
        self._batch_keys.observe(len(indexes))
        (values,) = await self._send([("MGET", *indexes)])
        return [[values[indexes[key]] for key in keys] for keys in requests]

    async def _read_all(self, requests: list[_ReadRequest]) -> list[Reading]:
        indexes = _index_keys([request.keys for request in requests])
        commands = [command for request in requests for command in request.commands]
        values, *replies = await self._send([("MGET", *indexes), *commands])
        remaining = iter(replies)
        return [
            Reading(
                [values[indexes[key]] for key in request.keys],
                list(islice(remaining, len(request.commands))),
            )
            for request in requests
        ]

    async def _send(self, commands: list[RedisCommand]) -> list[Any]:
        replies = await exchange(self._client.connection_pool, commands)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies


async def fetch_values(client: Redis, keys: Sequence[str]) -> Values:
    """The values of these keys. Raises one of REDIS_ERRORS."""
    return cast("Values", await client.mget(list(keys)))


def _index_keys(requests: Sequence[Sequence[str]]) -> dict[str, int]:
    """Every key once, with its index in the MGET."""
    indexes: dict[str, int] = {}
    for keys in requests:
        for key in keys:
            indexes.setdefault(key, len(indexes))
    return indexes
