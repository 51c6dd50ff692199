"""The reader of a single Redis: one MGET for documents and one round trip for lists in flight."""

from collections.abc import Awaitable, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, cast

from prometheus_client import Histogram
from redis.asyncio import Redis

from query_service.reader import Reading, Values, unreachable
from shared.redis.exchange import RedisCommand, exchange
from shared.request_coalescer import RequestCoalescer

_MOST_GETS: Final = 512
_MOST_READS: Final = 16


class _Question(NamedTuple):
    keys: Sequence[str]
    commands: Sequence[RedisCommand]


class RedisReader:
    """See `Reader`. Lists go their own way, so that nobody who gets one document waits for them.

    A cluster needs one of its own: an MGET for each shard, and the cluster's client.
    """

    def __init__(self, client: Redis, batch_keys: Histogram) -> None:
        self._client = client
        self._batch_keys = batch_keys
        self._gets = RequestCoalescer(
            self._get_all, max_batch_size=_MOST_GETS, map_error=unreachable
        )
        self._reads = RequestCoalescer(
            self._read_all, max_batch_size=_MOST_READS, map_error=unreachable
        )

    def get(self, keys: Sequence[str]) -> Awaitable[Values]:
        return self._gets.submit(keys)

    def read(
        self, keys: Sequence[str], commands: Sequence[RedisCommand] = ()
    ) -> Awaitable[Reading]:
        return self._reads.submit(_Question(keys, commands))

    async def close(self) -> None:
        await self._gets.close()
        await self._reads.close()

    async def _get_all(self, questions: list[Sequence[str]]) -> list[Values]:
        places = _places(questions)
        self._batch_keys.observe(len(places))
        (values,) = await self._send([("MGET", *places)])
        return [[values[places[key]] for key in keys] for keys in questions]

    async def _read_all(self, questions: list[_Question]) -> list[Reading]:
        places = _places([question.keys for question in questions])
        commands = [command for question in questions for command in question.commands]
        values, *replies = await self._send([("MGET", *places), *commands])
        left = iter(replies)
        return [
            Reading(
                [values[places[key]] for key in question.keys],
                list(islice(left, len(question.commands))),
            )
            for question in questions
        ]

    async def _send(self, commands: list[RedisCommand]) -> list[Any]:
        replies = await exchange(self._client.connection_pool, commands)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies


async def fetch(client: Redis, keys: Sequence[str]) -> Values:
    """The values of these keys. Raises what is in REDIS_ERRORS."""
    return cast("Values", await client.mget(list(keys)))


def _places(questions: Sequence[Sequence[str]]) -> dict[str, int]:
    """Every key once, and where its value will stand."""
    places: dict[str, int] = {}
    for keys in questions:
        for key in keys:
            places.setdefault(key, len(places))
    return places
