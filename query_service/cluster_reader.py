"""The reader of a Redis Cluster: per node, one round trip for documents and one for lists.

A node that does not answer holds up nobody who reads from another one.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from prometheus_client import Histogram
from redis.exceptions import AskError, ClusterDownError, MovedError, TryAgainError

from query_service.reader import Reading, Values, unreachable
from shared.redis.clients import REDIS_ERRORS
from shared.redis.cluster import Address, Cluster, Node
from shared.redis.exchange import RedisCommand, exchange
from shared.request_coalescer import RequestCoalescer

_MOST_GETS: Final = 512
_MOST_READS: Final = 200
# What a node answers that does not have the shard, or not all of it, any more.
_ELSEWHERE: Final = (MovedError, AskError, TryAgainError, ClusterDownError)


@dataclass(slots=True)
class _Question:
    """Of one shard: keys first, then commands."""

    shard: str
    keys: list[str] = field(default_factory=list)
    commands: list[RedisCommand] = field(default_factory=list)

    def asked(self) -> list[RedisCommand]:
        """One MGET, so that the values are of one moment, and the commands after it."""
        return [("MGET", *self.keys), *self.commands] if self.keys else self.commands

    def reading(self, replies: list[Any]) -> Reading:
        return Reading(replies[0], replies[1:]) if self.keys else Reading([], replies)


class _Lane:
    """One node's questions in flight."""

    def __init__(self, cluster: Cluster, address: Address, keys: Histogram) -> None:
        self._cluster = cluster
        self._address = address
        self._keys = keys
        self.gets = RequestCoalescer(self._answer, max_batch_size=_MOST_GETS, map_error=unreachable)
        self.reads = RequestCoalescer(
            self._answer, max_batch_size=_MOST_READS, map_error=unreachable
        )

    async def close(self) -> None:
        await self.gets.close()
        await self.reads.close()

    async def _answer(self, questions: list[_Question]) -> list[Reading]:
        """Those of one shard share its MGET: a key that many ask for is read once."""
        merged = _merged(questions)
        self._keys.observe(sum(len(question.keys) for question in merged.values()))
        readings = await _ask_node(self._cluster, self._address, list(merged.values()))
        places = {s: {key: n for n, key in enumerate(q.keys)} for s, q in merged.items()}
        left = {shard: iter(reading.replies) for shard, reading in readings.items()}
        return [
            Reading(
                [readings[q.shard].values[places[q.shard][key]] for key in q.keys],
                list(islice(left[q.shard], len(q.commands))),
            )
            for q in questions
        ]


class ClusterReader:
    """See `Reader`."""

    def __init__(self, cluster: Cluster, batch_keys: Histogram) -> None:
        self._cluster = cluster
        self._batch_keys = batch_keys
        self._max_concurrent_batches: dict[Address, _Lane] = {}

    async def get(self, keys: Sequence[str]) -> Values:
        question = _Question(_shard_of(keys[0]), list(keys))
        lane = await self._lane(question.shard)
        return (await lane.gets.submit(question)).values

    def read(
        self, keys: Sequence[str], commands: Sequence[RedisCommand] = ()
    ) -> Awaitable[Reading]:
        return self._read(_by_shard(keys, commands), keys, commands)

    async def close(self) -> None:
        for lane in self._max_concurrent_batches.values():
            await lane.close()

    async def _read(
        self,
        questions: Mapping[str, _Question],
        keys: Sequence[str],
        commands: Sequence[RedisCommand],
    ) -> Reading:
        max_concurrent_batches = [await self._lane(shard) for shard in questions]
        asked = [
            lane.reads.submit(q)
            for lane, q in zip(max_concurrent_batches, questions.values(), strict=True)
        ]
        answers = await _all(asked)
        return _in_order(dict(zip(questions, answers, strict=True)), keys, commands)

    async def _lane(self, shard: str) -> _Lane:
        try:
            address = await self._cluster.owner(shard)
        except REDIS_ERRORS as error:
            raise unreachable(error) from None
        if address not in self._max_concurrent_batches:
            self._max_concurrent_batches[address] = _Lane(self._cluster, address, self._batch_keys)
        return self._max_concurrent_batches[address]


async def fetch_from_cluster(cluster: Cluster, keys: Sequence[str]) -> Values:
    """The values of these keys, all nodes asked at once. Raises what is in REDIS_ERRORS.

    For the watcher alone: what a node has that does not answer is None, as long as another one
    does. Whoever waits for it reads again, and is told.
    """
    questions = _by_shard(keys, ())
    groups = await cluster.group_by_owner(questions)
    parts = await asyncio.gather(
        *(
            _ask_node(cluster, address, [questions[shard] for shard in shards])
            for address, shards in groups.items()
        ),
        return_exceptions=True,
    )
    answers = {shard: Reading([None] * len(q.keys), []) for shard, q in questions.items()}
    failures = [part for part in parts if isinstance(part, BaseException)]
    if failures and len(failures) == len(parts):
        raise failures[0]
    for part in parts:
        answers |= {} if isinstance(part, BaseException) else part
    return _in_order(answers, keys, ()).values


async def _ask_node(
    cluster: Cluster, address: Address, questions: list[_Question]
) -> dict[str, Reading]:
    """By shard, in one round trip, and further ones for shards that turn out to be elsewhere."""
    try:
        commands = [command for question in questions for command in question.asked()]
        pool = cluster.client(address).connection_pool
        replies = iter(await exchange(pool, commands))
    except REDIS_ERRORS as error:
        cluster.mark_suspect(address, error)
        raise
    found: dict[str, Reading] = {}
    for question in questions:
        own = list(islice(replies, len(question.asked())))
        if any(isinstance(reply, _ELSEWHERE) for reply in own):
            own = await _ask_again(cluster, question)
        if failed := next((reply for reply in own if isinstance(reply, Exception)), None):
            raise failed
        found[question.shard] = question.reading(own)
    return found


async def _ask_again(cluster: Cluster, question: _Question) -> list[Any]:
    """All of it: replies must not be older than the values."""

    async def ask(node: Node) -> list[Any]:
        async with node.client.pipeline(transaction=False) as pipeline:
            for command in question.asked():
                if node.asking:
                    pipeline.execute_command("ASKING")
                pipeline.execute_command(*command)
            replies: list[Any] = await pipeline.execute()
        return replies[1::2] if node.asking else replies

    return await cluster.run(question.shard, ask)


def _by_shard(keys: Sequence[str], commands: Sequence[RedisCommand]) -> dict[str, _Question]:
    questions: dict[str, _Question] = {}
    for key in keys:
        shard = _shard_of(key)
        questions.setdefault(shard, _Question(shard)).keys.append(key)
    for command in commands:
        shard = _shard_of(str(command[1]))
        questions.setdefault(shard, _Question(shard)).commands.append(command)
    return questions


def _in_order(
    answers: Mapping[str, Reading], keys: Sequence[str], commands: Sequence[RedisCommand]
) -> Reading:
    values = {shard: iter(answer.values) for shard, answer in answers.items()}
    replies = {shard: iter(answer.replies) for shard, answer in answers.items()}
    return Reading(
        [next(values[_shard_of(key)]) for key in keys],
        [next(replies[_shard_of(str(command[1]))]) for command in commands],
    )


def _merged(questions: Sequence[_Question]) -> dict[str, _Question]:
    """One for each shard, with every key once."""
    keys: dict[str, dict[str, None]] = {}
    commands: dict[str, list[RedisCommand]] = {}
    for question in questions:
        keys.setdefault(question.shard, {}).update(dict.fromkeys(question.keys))
        commands.setdefault(question.shard, []).extend(question.commands)
    return {shard: _Question(shard, list(keys[shard]), commands[shard]) for shard in keys}


def _shard_of(key: str) -> str:
    return key[1 : key.index("}")]


async def _all(asked: Any) -> list[Any]:
    """Every answer, or the first error once all are there."""
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return outcomes
